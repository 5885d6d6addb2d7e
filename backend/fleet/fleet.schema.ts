import Joi from 'joi';
import { queryInteger } from '../http/query.schema.ts';
import { optionalLabel, searchText, uuid } from '../http/text.schema.ts';

const MAX_SEARCH_LENGTH = 200;

/** The `next_cursor` of an earlier page, which is the id of its last row. */
const rowCursor = () =>
  uuid()
    .empty('')
    .messages({ 'string.guid': '{{#label}} must be the next_cursor of an earlier page' });

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
  cursor: rowCursor(),
  limit: queryInteger(1, 500).default(100),
});

export const historyQuerySchema = Joi.object<{ cursor?: string; limit: number }>({
  cursor: rowCursor(),
  limit: queryInteger(1, 200).default(50),
});
