/**
 * Types of values in requests and responses. For the compiler they are strings and numbers. Their annotations become
 * part of the OpenAPI document, and tests check every response against it.
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
 * Starts at 1.
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
