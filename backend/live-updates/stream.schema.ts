import Joi from 'joi';

const ID = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
/** Enough for many tabs, and short enough for the URL limits of proxies. */
const MAX_DETAILED = 50;

export const streamQuerySchema = Joi.object<{ detail?: string }>({
  detail: Joi.string()
    .empty('')
    .pattern(new RegExp(`^${ID}(?:,${ID}){0,${MAX_DETAILED - 1}}$`), 'ids')
    .messages({
      'string.pattern.name': `detail must be up to ${MAX_DETAILED} deployment ids, separated by commas`,
    }),
});
