/** Schemas of the requests to the enrolment API. */
import Joi from 'joi';

export interface RequestListQuery {
  search: string;
  cursor: string;
  limit: number;
}

/** 18 digits fit into PostgreSQL's `bigint`. */
export const REQUEST_ID = /^[1-9]\d{0,17}$/;
export const DEVICE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const requestListQuery = Joi.object<RequestListQuery>({
  search: Joi.string().trim().max(100).pattern(/\0/, { invert: true }).allow('').default(''),
  cursor: Joi.string().pattern(REQUEST_ID, 'cursor').allow('').default(''),
  limit: Joi.number().integer().min(1).max(200).default(50),
});

const MAX_WINDOW_HOURS = 168;

export interface WindowBody {
  hours: number;
}

export const windowBody = Joi.object<WindowBody>({
  hours: Joi.number().integer().min(1).max(MAX_WINDOW_HOURS).required(),
}).prefs({ convert: false });
