/**
 * Kinds of values on the wire. To the compiler they are strings and numbers; the annotations become
 * part of the OpenAPI document, and the tests hold every answer to them.
 */

/** @format uuid */
export type Uuid = string;

/**
 * ISO 8601 in UTC.
 *
 * @format date-time
 */
export type Timestamp = string;

/**
 * @asType integer
 * @minimum 0
 */
export type Count = number;

/**
 * Counts from 1.
 *
 * @asType integer
 * @minimum 1
 */
export type Ordinal = number;

/**
 * @minimum 0
 * @maximum 100
 */
export type Percent = number;
