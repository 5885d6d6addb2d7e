import { onScopeDispose, ref, type Ref } from 'vue';

/** Colours of the line chart, read from the page's style sheet, so that both follow the host's theme. */
export interface ChartTheme {
  font: string;
  text: string;
  faint: string;
  border: string;
  surface: string;
  success: string;
  danger: string;
  warning: string;
}

/** The theme of now, changing with the class `dark` of the root element. */
export function useChartTheme(): Ref<ChartTheme> {
  const theme = ref(readTheme());
  const observer = new MutationObserver(() => (theme.value = readTheme()));
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['class'] });
  onScopeDispose(() => observer.disconnect());
  return theme;
}

function readTheme(): ChartTheme {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--ota-${name}`).trim();
  return {
    font: getComputedStyle(document.body).fontFamily,
    text: token('text-soft'),
    faint: token('text-faint'),
    border: token('border'),
    surface: token('surface'),
    success: token('success-solid'),
    danger: token('danger-solid'),
    warning: token('warning-solid'),
  };
}
