'use strict';

/**
 * ioredis, and only where the app named Redis by a URL. By require(): for an import Node first searches the files of a CommonJS package for the names
 * of its exports, which with ioredis takes some 12 ms. Bundlers follow this as they do an import.
 */
exports.loadIoredis = () => require('ioredis');
