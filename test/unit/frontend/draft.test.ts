import { expect } from 'chai';
import { readChecksum } from '../../../frontend/wizard/checksum.ts';
import { validateDraft, assignServerErrors } from '../../../frontend/wizard/draft-validation.ts';
import { toPreviewRequest, toRequest } from '../../../frontend/wizard/draft-request.ts';
import {
  emptyDraft,
  errorsIn,
  type Draft,
  type DraftField,
} from '../../../frontend/wizard/draft.ts';

const NOW = new Date('2026-03-01T12:00:00Z');

function draft(entries: Partial<Draft> = {}): Draft {
  return {
    ...emptyDraft(),
    deployment_name: 'Firmware Update v2.1.0',
    target_version: 'v2.1.0',
    update_package_url: 'https://cdn.example.com/v2.1.0.tar.gz',
    checksum: 'a3'.repeat(32),
    ...entries,
  };
}

describe('wizard draft', () => {
  it('has no errors when the required fields are filled in', () => {
    expect(validateDraft(draft(), NOW)).to.deep.equal({});
  });

  const invalid: [Partial<Draft>, DraftField][] = [
    [{ deployment_name: '  ' }, 'deployment_name'],
    [{ target_version: '' }, 'target_version'],
    [{ canary_percentage: '0' }, 'canary_percentage'],
    [{ canary_percentage: '101' }, 'canary_percentage'],
    [{ canary_percentage: '12.5' }, 'canary_percentage'],
    [{ rollout_strategy: 'rolling', rolling_percentage: '' }, 'rolling_percentage'],
    [{ rollout_strategy: 'rolling', rolling_by: 'count', batch_size: '0' }, 'batch_size'],
    [{ failure_threshold_percent: '150' }, 'failure_threshold_percent'],
    [{ failure_min_devices: '0' }, 'failure_min_devices'],
    [{ device_timeout_minutes: 'soon' }, 'device_timeout_minutes'],
    [{ pickup_timeout_hours: '-1' }, 'pickup_timeout_hours'],
    [{ scheduled_at: '2026-02-28T00:00' }, 'scheduled_at'],
    [{ rollout_strategy: 'manual', pick_by: 'hand' }, 'device_ids'],
    [{ update_package_url: 'http://cdn.example.com/a.tar.gz' }, 'update_package_url'],
    [{ update_package_url: 'cdn.example.com/a.tar.gz' }, 'update_package_url'],
    [{ checksum: 'abc123' }, 'checksum'],
    [{ checksum: 'z'.repeat(64) }, 'checksum'],
    [{ update_package_url: 'https://user:pw@cdn.example.com/a' }, 'update_package_url'],
    [{ update_package_url: 'https://user@cdn.example.com/a' }, 'update_package_url'],
    [{ update_package_url: 'https:\\\\cdn.example.com\\a' }, 'update_package_url'],
    [{ update_package_url: 'https://cdn.example.com/a b' }, 'update_package_url'],
    [{ rollout_strategy: 'manual' }, 'device_type'],
    [{ manifest: '{}' }, 'signature'],
    [{ signature: 'c2ln' }, 'manifest'],
  ];
  for (const [entries, field] of invalid) {
    it(`finds the error in ${JSON.stringify(entries)} at ${field}`, () => {
      expect(Object.keys(validateDraft(draft(entries), NOW))).to.deep.equal([field]);
    });
  }

  const DIGITS = 'a3'.repeat(32);
  const LINES: [string, string | null][] = [
    [DIGITS, DIGITS],
    [` ${DIGITS.toUpperCase()}\n`, DIGITS.toUpperCase()],
    [`sha256:${DIGITS}`, `sha256:${DIGITS}`],
    [`${DIGITS}  firmware.tar.gz\n`, DIGITS],
    [`${DIGITS} *firmware.tar.gz`, DIGITS],
    [`${DIGITS}  ${DIGITS}.tar.gz`, DIGITS],
    [`\\${DIGITS}  odd\\nname.tar.gz`, DIGITS],
    [`${DIGITS}  -`, DIGITS],
    [`SHA256 (firmware v2 (1).tar.gz) = ${DIGITS}`, DIGITS],
    [`SHA256(firmware.tar.gz)= ${DIGITS}`, DIGITS],
    [`SHA2-256(firmware.tar.gz)= ${DIGITS}`, DIGITS],
    [`SHA256          ${DIGITS}       C:\\firmware.tar.gz`, DIGITS],
    [`SHA512 (firmware.tar.gz) = ${DIGITS}`, null],
    [`${DIGITS}a  firmware.tar.gz`, null],
    [`${DIGITS.slice(1)}  firmware.tar.gz`, null],
    [`firmware.tar.gz ${DIGITS}`, null],
    ['', null],
  ];
  for (const [line, checksum] of LINES) {
    it(`G44 reads the checksum in ${JSON.stringify(line)}`, () => {
      expect(readChecksum(line)).to.equal(checksum);
      if (line === '') return;
      const entries = draft({ checksum: line });
      expect(validateDraft(entries, NOW).checksum === undefined).to.equal(checksum !== null);
      if (checksum !== null) expect(toRequest(entries).checksum).to.equal(checksum);
    });
  }

  it('does not validate fields that the strategy does not show', () => {
    const entries = {
      rollout_strategy: 'immediate',
      canary_percentage: 'x',
      rolling_percentage: 'x',
    };
    expect(validateDraft(draft(entries as Partial<Draft>), NOW)).to.deep.equal({});
  });

  it('leaves packages on localhost to the server, which may allow them', () => {
    for (const host of ['localhost:8080', '127.0.0.1', '[::1]:99']) {
      const errors = validateDraft(draft({ update_package_url: `http://${host}/a.tar.gz` }), NOW);
      expect(errors, host).to.deep.equal({});
    }
  });

  it('becomes the request of the quick reference', () => {
    const entries = draft({
      canary_percentage: '20',
      device_type: ' raspberry_pi ',
      current_version: 'v2.0.0',
      status: 'online',
      release_notes: 'Bug fixes',
    });
    expect(toRequest(entries)).to.deep.equal({
      deployment_name: 'Firmware Update v2.1.0',
      target_version: 'v2.1.0',
      rollout_strategy: 'canary',
      rollout_percentage: 20,
      device_filters: {
        device_type: 'raspberry_pi',
        current_version: 'v2.0.0',
        version_operator: '!=',
        status: 'online',
      },
      // The default of the page.
      skip_up_to_date: true,
      update_package_url: 'https://cdn.example.com/v2.1.0.tar.gz',
      checksum: 'a3'.repeat(32),
      release_notes: 'Bug fixes',
    });
  });

  it('sends an operator only beside a version', () => {
    expect(toRequest(draft({ version_operator: '<' })).device_filters).to.deep.equal({});
  });

  it('sends the devices picked by hand, for a manual deployment only', () => {
    const picked = [{ device_id: 'd1', device_name: 'one' }];
    const manual = draft({ rollout_strategy: 'manual', pick_by: 'hand', picked });
    expect(toRequest(manual)).to.deep.include({ device_ids: ['d1'] });
    expect(toRequest(manual)).not.to.have.property('device_filters');
    expect(toRequest({ ...manual, rollout_strategy: 'canary' })).not.to.have.property('device_ids');
  });

  it('sends the changed fields of the policy; no threshold and no pickup limit as null', () => {
    expect(toRequest(draft())).not.to.have.property('policy');
    const changed = draft({
      threshold_off: true,
      failure_threshold_percent: '40',
      device_timeout_minutes: '15',
      pickup_timeout_hours: '0',
    });
    expect(toRequest(changed).policy).to.deep.equal({
      failure_threshold_percent: null,
      device_timeout_minutes: 15,
      pickup_timeout_hours: null,
    });
  });

  it('requests a preview of an incomplete draft, but not without devices or a batch plan', () => {
    const preview = (entries: Partial<Draft>) => {
      const half = { ...emptyDraft(), ...entries };
      return toPreviewRequest(half, validateDraft(half, NOW));
    };
    expect(preview({})).to.deep.include({ rollout_strategy: 'canary', rollout_percentage: 10 });
    expect(preview({ canary_percentage: '' })).to.equal(null);
    expect(preview({ rollout_strategy: 'manual', pick_by: 'hand' })).to.equal(null);
  });

  it("assigns the server's errors to fields and steps, and returns those without a field", () => {
    const { assigned, others } = assignServerErrors(
      [
        { path: 'checksum', message: 'one' },
        { path: 'device_filters.version_operator', message: 'two' },
        { path: 'policy.failure_min_devices', message: 'three' },
        { path: 'rollout_percentage', message: 'four' },
        { path: 'device_ids[3]', message: 'five' },
        { path: 'unheard_of', message: 'six' },
        { path: '', message: 'seven' },
      ],
      draft(),
    );
    expect(assigned).to.deep.equal({
      checksum: 'one',
      version_operator: 'two',
      failure_min_devices: 'three',
      canary_percentage: 'four',
      device_ids: 'five',
    });
    expect(others).to.deep.equal(['unheard_of: six', 'seven']);
    expect(errorsIn('devices', assigned)).to.deep.equal(['version_operator', 'device_ids']);
    expect(errorsIn('package', assigned)).to.deep.equal(['checksum']);
  });
});
