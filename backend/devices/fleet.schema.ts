import Joi from 'joi';
import { optionalLabel, uuid } from '../http/text.schema.ts';

const MAX_SEARCH_LENGTH = 200;

export const fleetQuerySchema = Joi.object<{
  search?: string;
  device_type?: string;
  status?: string;
  cursor?: string;
  limit: number;
}>({
  search: optionalLabel(MAX_SEARCH_LENGTH),
  device_type: optionalLabel(MAX_SEARCH_LENGTH),
  status: Joi.string().valid('online', 'offline').empty(''),
  cursor: uuid(),
  limit: Joi.number().integer().min(1).max(500).default(100),
});
