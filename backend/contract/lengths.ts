/** Characters in names. The host's columns are no longer than this. */
export const MAX_NAME_LENGTH = 200;
/** Characters in versions. Hosts often have short columns for versions, and longer ones would fail there. */
export const MAX_VERSION_LENGTH = 50;
