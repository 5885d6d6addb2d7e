import Joi from 'joi';
import { queryInteger } from '../http/query.schema.ts';
import { optionalLabel, searchText, uuid } from '../http/text.schema.ts';

const MAX_SEARCH_LENGTH = 200;

export const fleetQuerySchema = Joi.object<{
  search?: string;
  device_type?: string;
  status?: string;
  cursor?: string;
  limit: number;
}>({
  search: searchText(MAX_SEARCH_LENGTH),
  device_type: optionalLabel(MAX_SEARCH_LENGTH),
  status: Joi.string().valid('online', 'offline').empty(''),
  cursor: uuid()
    .empty('')
    .messages({ 'string.guid': '{{#label}} must be the next_cursor of an earlier page' }),
  limit: queryInteger(1, 500).default(100),
});
