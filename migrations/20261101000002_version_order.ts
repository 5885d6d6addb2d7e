import type { Knex } from 'knex';

/**
 * The version comparison of device filters as SQL functions, so that PostgreSQL can filter a million
 * devices. Queries call them once per distinct version, not per device.
 *
 * `ota_compare_versions(a, b)`: −1, 0 or 1; null if either version cannot be parsed.
 * `ota_version_matches(version, operator, reference)`: never null.
 */
export async function up(knex: Knex): Promise<void> {
  await runLiterally(
    knex,
    String.raw`
    CREATE FUNCTION ota_compare_versions(a text, b text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE
      readable constant text :=
        '^[vV]?([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$';
      match_a text[] := regexp_match(a, readable);
      match_b text[] := regexp_match(b, readable);
      parts_a text[];
      parts_b text[];
      left_part text;
      right_part text;
      left_is_number boolean;
    BEGIN
      IF match_a IS NULL OR match_b IS NULL THEN RETURN NULL; END IF;

      parts_a := string_to_array(match_a[1], '.');
      parts_b := string_to_array(match_b[1], '.');
      FOR i IN 1 .. greatest(cardinality(parts_a), cardinality(parts_b)) LOOP
        IF coalesce(parts_a[i], '0')::numeric <> coalesce(parts_b[i], '0')::numeric THEN
          RETURN sign(coalesce(parts_a[i], '0')::numeric - coalesce(parts_b[i], '0')::numeric);
        END IF;
      END LOOP;

      IF match_a[2] IS NULL AND match_b[2] IS NULL THEN RETURN 0; END IF;
      IF match_a[2] IS NULL THEN RETURN 1; END IF;
      IF match_b[2] IS NULL THEN RETURN -1; END IF;

      parts_a := string_to_array(match_a[2], '.');
      parts_b := string_to_array(match_b[2], '.');
      FOR i IN 1 .. greatest(cardinality(parts_a), cardinality(parts_b)) LOOP
        left_part := parts_a[i];
        right_part := parts_b[i];
        IF left_part IS NULL THEN RETURN -1; END IF;
        IF right_part IS NULL THEN RETURN 1; END IF;
        left_is_number := left_part ~ '^[0-9]+$';
        IF left_is_number <> (right_part ~ '^[0-9]+$') THEN
          RETURN CASE WHEN left_is_number THEN -1 ELSE 1 END;
        END IF;
        IF left_is_number THEN
          IF left_part::numeric <> right_part::numeric THEN
            RETURN sign(left_part::numeric - right_part::numeric);
          END IF;
        ELSIF left_part COLLATE "C" <> right_part COLLATE "C" THEN
          RETURN CASE WHEN left_part COLLATE "C" < right_part COLLATE "C" THEN -1 ELSE 1 END;
        END IF;
      END LOOP;
      RETURN 0;
    END $$`,
  );
  await knex.raw(`
    CREATE FUNCTION ota_version_matches(version text, operator text, reference text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE
      ordering integer;
    BEGIN
      IF version IS NULL THEN RETURN operator = '!='; END IF;
      ordering := ota_compare_versions(version, reference);
      IF ordering IS NULL THEN
        RETURN CASE operator
          WHEN '=' THEN version COLLATE "C" = reference
          WHEN '!=' THEN version COLLATE "C" <> reference
          ELSE false END;
      END IF;
      RETURN CASE operator
        WHEN '=' THEN ordering = 0
        WHEN '!=' THEN ordering <> 0
        WHEN '<' THEN ordering < 0
        WHEN '<=' THEN ordering <= 0
        WHEN '>' THEN ordering > 0
        WHEN '>=' THEN ordering >= 0
        ELSE false END;
    END $$`);
}

/** Escapes question marks, which Knex would replace as placeholders. */
async function runLiterally(knex: Knex, sql: string): Promise<void> {
  await knex.raw(sql.replaceAll('?', String.raw`\?`));
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP FUNCTION ota_version_matches(text, text, text)');
  await knex.raw('DROP FUNCTION ota_compare_versions(text, text)');
}
