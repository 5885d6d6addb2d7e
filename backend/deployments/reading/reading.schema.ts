import Joi from 'joi';
import { MAX_NAME_LENGTH } from '../../contract/lengths.ts';
import {
  DEPLOYMENT_STATUSES,
  TARGET_STATUSES,
  WAITING_REASONS,
  type DeploymentStatus,
  type TargetStatus,
  type WaitingReason,
} from '../../contract/states.ts';
import { queryCursor, queryInteger } from '../../http/query.schema.ts';
import { searchText } from '../../http/text.schema.ts';

export const listQuerySchema = Joi.object<{
  status?: DeploymentStatus;
  search?: string;
  page: number;
  page_size: number;
}>({
  status: Joi.string()
    .valid(...DEPLOYMENT_STATUSES)
    .empty(''),
  search: searchText(MAX_NAME_LENGTH),
  page: queryInteger(1, 1_000_000).default(1),
  page_size: queryInteger(1, 100).default(20),
});

export const targetQuerySchema = Joi.object<{
  status?: TargetStatus;
  batch?: number;
  search?: string;
  waiting_for?: WaitingReason;
  cursor?: string;
  limit: number;
}>({
  status: Joi.string()
    .valid(...TARGET_STATUSES)
    .empty(''),
  batch: queryInteger(1, 2_000_000_000),
  search: searchText(MAX_NAME_LENGTH),
  waiting_for: Joi.string()
    .valid(...WAITING_REASONS)
    .empty(''),
  cursor: queryCursor(9),
  limit: queryInteger(1, 500).default(100),
});

export const eventQuerySchema = Joi.object<{ cursor?: string }>({
  cursor: queryCursor(18),
});
