/** Statuses that have a line in the chart, from back to front. `ResultsChart.vue` has their styles. */
export const CHART_STATUSES = ['completed', 'failed', 'rolled_back'] as const;
export type ChartStatus = (typeof CHART_STATUSES)[number];
