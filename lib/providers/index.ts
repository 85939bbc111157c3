/**
 * Presets for authorization servers: each returns a plain `provider`, to be used as it is or spread and overridden.
 * @packageDocumentation
 */
export { aidboxLegacy } from './aidbox-legacy.js';
export type { AidboxLegacyOptions } from './aidbox-legacy.js';
export { aidbox } from './aidbox.js';
export type { AidboxOptions } from './aidbox.js';
export { aritmaId } from './aritma-id.js';
export type { AritmaIdOptions } from './aritma-id.js';
export { athoc } from './athoc.js';
export type { AtHocOptions } from './athoc.js';
export { identityHub } from './identity-hub.js';
export type { IdentityHubOptions } from './identity-hub.js';
export type { PresetProvider, PresetSettings } from './preset.js';
