export function loadIoredis(): typeof import('ioredis');
