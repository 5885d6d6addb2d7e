/** The tables of the published Ops-Center, with members of organizations. */
import { randomUUID } from 'node:crypto';

import { createTestDatabase, type TestDatabase } from '../test-database.ts';

/** How the column with the organization is called, and its type. `null`: there is no such table. */
export type MembersColumn =
  'org_id uuid' | 'organization_id uuid' | 'organization_id varchar' | null;

export interface OpsCenterDatabase extends TestDatabase {
  addOrganization(name: string): Promise<string>;
  /** Adds a user of Keycloak. Returns the id. */
  addUser(): Promise<string>;
  addMember(userId: string, organizationId: string, role?: string): Promise<void>;
}

export async function createOpsCenterDatabase(
  members: MembersColumn = 'organization_id uuid',
): Promise<OpsCenterDatabase> {
  const database = await createTestDatabase({ schema: 'published' });
  const { knex } = database;
  // Its rows have an organization that would be listed among those of the tests.
  await knex.raw('TRUNCATE organizations CASCADE');
  if (members !== null) {
    const userType = members.endsWith('varchar') ? 'varchar' : 'uuid';
    await knex.raw(
      `CREATE TABLE organization_members (user_id ${userType} NOT NULL, ${members} NOT NULL, role varchar(50) NOT NULL)`,
    );
  }
  return {
    ...database,
    async addOrganization(organization) {
      const id = randomUUID();
      await knex('organizations').insert({ id, name: organization });
      return id;
    },
    async addUser() {
      const id = randomUUID();
      await knex('keycloak_users').insert({ id, email: `${id}@example.com` });
      return id;
    },
    async addMember(userId, organizationId, role = 'member') {
      const column = members?.split(' ')[0] ?? 'organization_id';
      await knex('organization_members').insert({
        user_id: userId,
        [column]: organizationId,
        role,
      });
    },
  };
}
