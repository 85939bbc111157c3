/** The layout of a sealed value (`lib/seal.ts`), for tests that look into one or damage it. */

const [KEY_ID, NONCE, BODY] = [1, 5, 17];

/** Hexadecimal: which secret sealed it. */
export const keyIdOf = (sealed: Buffer): string => sealed.subarray(KEY_ID, NONCE).toString('hex');

/** Hexadecimal. */
export const nonceOf = (sealed: Buffer): string => sealed.subarray(NONCE, BODY).toString('hex');

/** The format and the id of the secret, which every value of that secret begins with. */
export const headOf = (sealed: Buffer): Buffer => sealed.subarray(0, NONCE);

/** As a release with another format would write it; 9 is one to come. */
export const ofFormat = (sealed: Buffer, format = 9): Buffer => Buffer.concat([Buffer.of(format), sealed.subarray(KEY_ID)]);
