import Joi from 'joi';

export const explanationQuerySchema = Joi.object<{ deployment_id?: string }>({
  deployment_id: Joi.string().empty(''),
});
