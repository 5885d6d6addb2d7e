import type { DeviceSituation } from '../deployments/reading/waiting.views.ts';
import { token } from '../kernel/token.ts';

/** A device and everything that its explanations depend on. */
export interface ExplainedDevice {
  name: string | null;
  situation: DeviceSituation;
}

/** Reads devices of an organization for their explanations. */
export interface ExplanationRepository {
  /** `null`: the organization has no such device. */
  find(organizationId: string, deviceId: string): Promise<ExplainedDevice | null>;
}
export const ExplanationRepository = token<ExplanationRepository>('ExplanationRepository');
