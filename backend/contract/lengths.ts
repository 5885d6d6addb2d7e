/** Characters that fit into what admins and devices send; the host's columns are as short as this. */
export const MAX_NAME_LENGTH = 200;
/** Host tables often hold versions in short columns; longer ones would fail there. */
export const MAX_VERSION_LENGTH = 50;
