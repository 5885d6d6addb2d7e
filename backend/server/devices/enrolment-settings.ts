import Joi from 'joi';

const HOURS_PER_YEAR = 8_760;

/** The section `devices` of the settings, as it is written in the file. */
export interface DevicesSection {
  /** How long after its creation in Ops-Center a device may enrol by itself; 0: never. */
  hours_after_registration: number;
}

export const devicesSection = Joi.object<DevicesSection>({
  hours_after_registration: Joi.number().integer().min(0).max(HOURS_PER_YEAR).default(24),
}).default();

export interface EnrolmentSettings {
  hoursAfterRegistration: number;
}
