import { FAKE_HOST, OTA_SERVER, STAND_IN_HOST } from '../support/host-openers.ts';
import { hostContract } from './host.contract.ts';

hostContract('fake host', FAKE_HOST);
hostContract('stand-in host', STAND_IN_HOST);
hostContract('ota-server', OTA_SERVER);
