import Joi from 'joi';
import { MAX_VERSION_LENGTH } from '../../contract/lengths.ts';
import { label, uuid } from '../../http/text.schema.ts';

const MAX_DEVICE_IDS = 10_000;

/** Fields that several requests about deployments share. */
export const version = () => label(MAX_VERSION_LENGTH);
export const deviceIds = () => Joi.array().items(uuid()).min(1).max(MAX_DEVICE_IDS).unique();
export const percentage = () => Joi.number().integer().min(1).max(100);
