/** The lines of the chart, from the one at the back to the one in front. Their looks are in `EndedChart.vue`. */
export const SHOWN = ['completed', 'failed', 'rolled_back'] as const;
export type ShownStatus = (typeof SHOWN)[number];
