/**
 * Sealing: AES-256-GCM with a key derived (HKDF, RFC 5869) from a secret, a purpose and the id of what is sealed.
 *
 * Whoever has the store but not the id cannot open a value, nor can whoever has the id but not the secret.
 * A value of one purpose, id or context never opens as another's.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { boundedMap } from './bounded-map.js';

/** What a value is for; part of its key. */
export type Purpose = 'session' | 'grant' | 'login transaction' | 'finished login' | 'login index' | 'logout';

/** What a signature is for; part of its key. */
type SignedPurpose = 'session handle';

export interface Sealer {
  /** `context` must be the same at opening (GCM's additional authenticated data). */
  seal(purpose: Purpose, id: string, text: string, context?: string): string;
  /** `undefined`: not sealed by us, not for this purpose, id or context, damaged, or by a secret that was removed. */
  open(purpose: Purpose, id: string, sealed: string, context?: string): string | undefined;
  /**
   * Whether another release or another process may still open this: a later format, or a secret that is not (or not yet) ours.
   * Such a value is left alone, so that secrets and releases can be rolled out process by process.
   */
  mayBeOthers(sealed: string): boolean;
  /** The same text gives the same signature (HMAC-SHA256, base64url) for as long as the first secret stays the first. */
  sign(purpose: SignedPurpose, text: string): string;
  /** Whether any of the secrets signed it. */
  verify(purpose: SignedPurpose, text: string, signature: string): boolean;
  /** One per secret, the signing one first: keys of their own, so that a cookie signature says nothing about sealed values. */
  readonly signingKeys: readonly string[];
}

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface MasterKey {
  /** Tells which secret sealed a value; derived, so it reveals nothing. */
  readonly id: string;
  readonly bytes: Buffer;
}

function derive(secret: string | Buffer, salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `express-code-flow/${info}`, 32));
}

function masterKey(secret: string): MasterKey {
  return { id: derive(secret, '', 'key id').toString('base64url').slice(0, 6), bytes: derive(secret, '', 'sealing') };
}

/** How many derived keys one process remembers at most, some 2 MB: deriving one costs as much as opening a session. */
const REMEMBERED_KEYS = 5000;

function derivedKeys(): (master: MasterKey, purpose: Purpose, id: string) => KeyObject {
  const remembered = boundedMap<KeyObject>(REMEMBERED_KEYS);
  return (master, purpose, id) => {
    const name = `${master.id}${purpose} ${id}`;
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const key = createSecretKey(derive(master.bytes, id, purpose));
    // Those of logins come a few times at most, and anybody can make up ids of theirs, which would push out the others.
    if (purpose !== 'login transaction' && purpose !== 'finished login') remembered.set(name, key);
    return key;
  };
}

const additionalData = (keyId: string, context: string): Buffer => Buffer.from(`${FORMAT}.${keyId}.${context}`);

/** The first secret seals and signs; all of them open. */
export function createSealer(secrets: readonly string[]): Sealer {
  const keys = secrets.map(masterKey);
  const sealing = keys[0];
  if (sealing === undefined) throw new TypeError('createSealer() needs a secret');
  const keyOf = derivedKeys();

  return {
    signingKeys: secrets.map((secret) => derive(secret, '', 'session cookie').toString('base64url')),

    seal(purpose, id, text, context = '') {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyOf(sealing, purpose, id), nonce);
      cipher.setAAD(additionalData(sealing.id, context));
      const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${FORMAT}.${sealing.id}.${body.toString('base64url')}`;
    },

    open(purpose, id, sealed, context = '') {
      const [format, keyId, encoded, ...rest] = sealed.split('.', 4);
      const key = keys.find((candidate) => candidate.id === keyId);
      if (format !== String(FORMAT) || key === undefined || encoded === undefined || rest.length > 0) return undefined;
      const body = Buffer.from(encoded, 'base64url');
      if (body.length < NONCE_BYTES + TAG_BYTES) return undefined;
      return decipher(keyOf(key, purpose, id), body, additionalData(key.id, context));
    },

    sign: (purpose, text) => mac(sealing, purpose, text).toString('base64url'),

    verify(purpose, text, signature) {
      const given = Buffer.from(signature, 'base64url');
      return keys.map((key) => mac(key, purpose, text)).some((own) => own.length === given.length && timingSafeEqual(own, given));
    },

    mayBeOthers(sealed) {
      const [, format, keyId] = /^(\d{1,6})\.([\w-]{6})\./.exec(sealed) ?? [];
      return format !== undefined && (Number(format) > FORMAT || !keys.some(({ id }) => id === keyId));
    },
  };
}

function mac({ bytes }: MasterKey, purpose: SignedPurpose, text: string): Buffer {
  return createHmac('sha256', derive(bytes, '', purpose)).update(text).digest();
}

function decipher(key: KeyObject, body: Buffer, data: Buffer): string | undefined {
  const cipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAAD(data);
  cipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  try {
    return cipher.update(body.subarray(NONCE_BYTES, body.length - TAG_BYTES), undefined, 'utf8') + cipher.final('utf8');
  } catch {
    return undefined; // Not authentic: the one thing that final() throws for.
  }
}

/** 256 random bits, base64url: session ids, grant ids, `state`, `nonce` and PKCE verifiers (RFC 7636 §4.1). */
export function randomId(): string {
  return randomBytes(32).toString('base64url');
}

/** One-way name of an id, for store keys and events. The id has 256 random bits, so a plain hash cannot be searched. */
export function hashId(id: string): string {
  return hash('sha256', id, 'base64url');
}
