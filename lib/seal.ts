/**
 * Sealing: AES-256-GCM with a key derived (HKDF, RFC 5869) from a secret, a purpose and the id of what is sealed.
 *
 * Whoever has the store but not the id cannot open a value, nor can whoever has the id but not the secret.
 * A value of one purpose, id or context never opens as another's.
 *
 * A sealed value is bytes: the format, the id of the key's secret, the nonce, the ciphertext, the tag.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { boundedMap } from './bounded-map.js';
import type { BoundedMap } from './bounded-map.js';
import { pack, unpack } from './packed-text.js';

/** What a value is for; part of its key. */
export type Purpose = 'session' | 'grant' | 'login transaction' | 'finished login' | 'login index' | 'logout';

/** What a signature is for; part of its key. */
type SignedPurpose = 'session handle';

export interface Sealer {
  /** `context` must be the same at opening (GCM's additional authenticated data). */
  seal(purpose: Purpose, id: string, text: string, context?: string): Buffer;
  /** `undefined`: not sealed by us, not for this purpose, id or context, damaged, or by a secret that was removed. */
  open(purpose: Purpose, id: string, sealed: Buffer, context?: string): string | undefined;
  /**
   * Whether another release or another process may still open this: a later format, or a secret that is not (or not yet) ours.
   * Such a value is left alone, so that secrets and releases can be rolled out process by process.
   */
  mayBeOthers(sealed: Buffer): boolean;
  /** The same text gives the same signature (HMAC-SHA256, base64url) for as long as the first secret stays the first. */
  sign(purpose: SignedPurpose, text: string): string;
  /** Whether any of the secrets signed it. */
  verify(purpose: SignedPurpose, text: string, signature: string): boolean;
  /** One per secret, the signing one first: keys of their own, so that a cookie signature says nothing about sealed values. */
  readonly signingKeys: readonly string[];
}

const FORMAT = 1;
/** No release has a higher one: what begins with text is nobody's. */
const LAST_FORMAT = 15;
const KEY_ID_BYTES = 4;
const HEAD_BYTES = 1 + KEY_ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface MasterKey {
  /** The format, and what tells which secret sealed a value: derived, so it reveals nothing. */
  readonly head: Buffer;
  readonly key: KeyObject;
  /** Of sessions and grants. */
  readonly remembered: BoundedMap<KeyObject>;
}

function derive(secret: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `express-code-flow/${info}`, 32));
}

function masterKey(secret: string): MasterKey {
  const head = Buffer.concat([Buffer.of(FORMAT), derive(secret, 'key id').subarray(0, KEY_ID_BYTES)]);
  return { head, key: createSecretKey(derive(secret, 'sealing')), remembered: boundedMap(REMEMBERED_KEYS) };
}

/**
 * RFC 5869 §2.3, HKDF-Expand alone: the master key is uniformly random, so that nothing needs extracting (§3.3), and 32 bytes are one block.
 * A quarter of the time of `hkdfSync()`. No purpose is the beginning of another one's and an id. A KeyObject, since Node 24 takes 8 µs for every key
 * that comes as bytes.
 */
function expand({ key }: MasterKey, purpose: Purpose | SignedPurpose, id: string): KeyObject {
  return createSecretKey(createHmac('sha256', key).update(`express-code-flow/${purpose}/${id}\u0001`).digest());
}

/** How many keys one process remembers at most for each secret, some 2 MB: deriving one takes as long as opening a session. */
const REMEMBERED_KEYS = 5000;

function keyOf(master: MasterKey, purpose: Purpose, id: string): KeyObject {
  const name = `${purpose} ${id}`;
  const known = master.remembered.get(name);
  if (known !== undefined) return known;
  const key = expand(master, purpose, id);
  // Those of logins come a few times at most, and anybody can make up ids of theirs, which would push out the others.
  if (purpose === 'session' || purpose === 'grant') master.remembered.set(name, key);
  return key;
}

const additionalData = ({ head }: MasterKey, context: string): Buffer => Buffer.concat([head, Buffer.from(context)]);

/** The first secret seals and signs; all of them open. */
export function createSealer(secrets: readonly string[]): Sealer {
  const keys = secrets.map(masterKey);
  const sealing = keys[0];
  if (sealing === undefined) throw new TypeError('createSealer() needs a secret');
  /** More than one only if the ids of two secrets are the same by chance. */
  const keysThatSealed = (sealed: Buffer): MasterKey[] => keys.filter(({ head }) => sealed.subarray(0, HEAD_BYTES).equals(head));

  return {
    signingKeys: secrets.map((secret) => derive(secret, 'session cookie').toString('base64url')),

    seal(purpose, id, text, context = '') {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyOf(sealing, purpose, id), nonce);
      cipher.setAAD(additionalData(sealing, context));
      return Buffer.concat([sealing.head, nonce, cipher.update(pack(text)), cipher.final(), cipher.getAuthTag()]);
    },

    open(purpose, id, sealed, context = '') {
      if (sealed.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES) return undefined;
      for (const key of keysThatSealed(sealed)) {
        const text = decipher(keyOf(key, purpose, id), sealed.subarray(HEAD_BYTES), additionalData(key, context));
        if (text !== undefined) return text;
      }
      return undefined;
    },

    sign: (purpose, text) => mac(sealing, purpose, text).toString('base64url'),

    verify(purpose, text, signature) {
      const given = Buffer.from(signature, 'base64url');
      return keys.map((key) => mac(key, purpose, text)).some((own) => own.length === given.length && timingSafeEqual(own, given));
    },

    mayBeOthers(sealed) {
      const [format = 0] = sealed;
      if (sealed.length < HEAD_BYTES || format < FORMAT || format > LAST_FORMAT) return false;
      return keysThatSealed(sealed).length === 0;
    },
  };
}

function mac(key: MasterKey, purpose: SignedPurpose, text: string): Buffer {
  return createHmac('sha256', expand(key, purpose, '')).update(text).digest();
}

function decipher(key: KeyObject, body: Buffer, data: Buffer): string | undefined {
  const cipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAAD(data);
  cipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  const packed = cipher.update(body.subarray(NONCE_BYTES, body.length - TAG_BYTES));
  try {
    cipher.final();
  } catch {
    return undefined; // Not authentic: the one thing that final() throws for.
  }
  return unpack(packed);
}

/** 256 random bits, base64url: session ids, grant ids, `state`, `nonce` and PKCE verifiers (RFC 7636 §4.1). */
export function randomId(): string {
  return randomBytes(32).toString('base64url');
}

/** One-way name of an id, for store keys and events. The id has 256 random bits, so a plain hash cannot be searched. */
export function hashId(id: string): string {
  return hash('sha256', id, 'base64url');
}
