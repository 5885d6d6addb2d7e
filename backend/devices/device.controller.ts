import type { Request, Response } from 'express';
import { inject, injectable } from 'inversify';
import { deviceOf } from '../http/guards.ts';
import { pathId } from '../http/path-id.ts';
import { validate } from '../http/validate.ts';
import {
  checkUpdateQuerySchema,
  deviceQuerySchema,
  logUploadSchema,
  statusReportSchema,
} from './device.schema.ts';
import { DeviceService } from './device.service.ts';
import { InstallLogService } from './install-log.service.ts';

/** What devices call; the routes stand in `http/device.router.ts`. */
@injectable()
export class DeviceController {
  readonly #devices: DeviceService;
  readonly #logs: InstallLogService;

  constructor(
    @inject(DeviceService) devices: DeviceService,
    @inject(InstallLogService) logs: InstallLogService,
  ) {
    this.#devices = devices;
    this.#logs = logs;
  }

  checkUpdate = async (request: Request, response: Response): Promise<void> => {
    validate(checkUpdateQuerySchema, request.query);
    response.json(await this.#devices.checkUpdate(deviceOf(request)));
  };

  report = async (request: Request, response: Response): Promise<void> => {
    validate(deviceQuerySchema, request.query);
    const id = pathId(request.params['id'], 'This deployment');
    const report = validate(statusReportSchema, request.body);
    response.json(await this.#devices.report(deviceOf(request), id, report));
  };

  uploadLog = async (request: Request, response: Response): Promise<void> => {
    validate(deviceQuerySchema, request.query);
    const id = pathId(request.params['id'], 'This deployment');
    const upload = validate(logUploadSchema, request.body);
    await this.#logs.append(deviceOf(request), id, upload);
    response.status(202).json({ status: 'accepted' });
  };
}
