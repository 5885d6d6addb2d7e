/** The agent's steps as Markdown. Pure. */
import {
  type AfterPowerCut,
  ROLLBACK_STEPS,
  type StepRule,
  UPDATE_STEPS,
  type UpdateStep,
} from '../../agent/device/state/step-table.ts';

const HEAD = [
  'step in the journal',
  'what happens',
  'report',
  'after a kill or power cut here',
  'next',
];

export function updateStepTable(): string {
  const rows = Object.entries<StepRule>(UPDATE_STEPS).map(([step, rule]) => [
    code(step),
    rule.words,
    step === 'end' ? 'the result' : rule.report === null ? '' : code(rule.report),
    afterPowerCut(rule.afterPowerCut),
    nextSteps(rule),
  ]);
  return [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

export function rollbackSteps(): string {
  const steps = Object.keys(ROLLBACK_STEPS).map(code).join(', ');
  return `A rollback that the server requests goes through the steps ${steps}, as in the table.`;
}

function afterPowerCut(rule: AfterPowerCut<UpdateStep>): string {
  if (rule.action !== 'repeat' || !rule.limit) return rule.words;
  const { key, then } = rule.limit;
  return `${rule.words}, at most ${code(key)} times; then ${code(then)}`;
}

function nextSteps({ next, endsAs }: StepRule): string {
  return next
    .map((step) =>
      step === 'end' ? `${code(step)} as ${endsAs.map(code).join(' or ')}` : code(step),
    )
    .join(', ');
}

function code(text: string): string {
  return `\`${text}\``;
}
