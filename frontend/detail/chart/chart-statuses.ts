/** The lines of the chart, from the one at the back to the one in front. Their looks are in `ResultsChart.vue`. */
export const CHART_STATUSES = ['completed', 'failed', 'rolled_back'] as const;
export type ChartStatus = (typeof CHART_STATUSES)[number];
