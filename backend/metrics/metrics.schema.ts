import Joi from 'joi';

export const metricsQuerySchema = Joi.object<{ deployment_id?: string }>({
  deployment_id: Joi.string().empty(''),
});
