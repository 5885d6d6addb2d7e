import Joi from 'joi';
import { storableText } from '../http/text.schema.ts';

const MAX_SEARCH_LENGTH = 200;

export const fleetQuerySchema = Joi.object<{
  search?: string;
  device_type?: string;
  status?: string;
  cursor?: string;
  limit: number;
}>({
  search: storableText().trim().max(MAX_SEARCH_LENGTH).empty(''),
  device_type: storableText().trim().max(MAX_SEARCH_LENGTH).empty(''),
  status: Joi.string().valid('online', 'offline').empty(''),
  cursor: Joi.string().guid().lowercase(),
  limit: Joi.number().integer().min(1).max(500).default(100),
});
