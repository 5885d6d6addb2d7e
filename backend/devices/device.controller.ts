import { inject, injectable } from 'inversify';
import { readProfile } from './device-profile.ts';
import type { DeviceResponse, DeviceRequest } from './device-request.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import {
  checkUpdateQuerySchema,
  deviceQuerySchema,
  isUsualPoll,
  logUploadSchema,
  statusReportSchema,
} from './device.schema.ts';
import { DeviceService } from './device.service.ts';
import { InstallLogService } from './install-log.service.ts';

/** The device API. The routes are in `api/device.router.ts`. */
@injectable()
export class DeviceController {
  constructor(
    @inject(DeviceService) private readonly devices: DeviceService,
    @inject(InstallLogService) private readonly logs: InstallLogService,
  ) {}

  checkUpdate = async ({ device, query, userAgent }: DeviceRequest): Promise<DeviceResponse> => {
    const valid = isUsualPoll(query) ? query : validate(checkUpdateQuerySchema, query);
    const poll = {
      version: valid.current_version || null,
      profile: readProfile(valid),
      userAgent,
    };
    return { status: 200, body: await this.devices.checkUpdate(device, poll) };
  };

  report = async ({ device, query, id, body }: DeviceRequest): Promise<DeviceResponse> => {
    validate(deviceQuerySchema, query);
    const deploymentId = pathId(id, 'This deployment');
    const report = validate(statusReportSchema, body);
    return { status: 200, body: await this.devices.report(device, deploymentId, report) };
  };

  uploadLog = async ({ device, query, id, body }: DeviceRequest): Promise<DeviceResponse> => {
    validate(deviceQuerySchema, query);
    const deploymentId = pathId(id, 'This deployment');
    const upload = validate(logUploadSchema, body);
    await this.logs.append(device, deploymentId, upload);
    return { status: 202, body: { status: 'accepted' } };
  };
}
