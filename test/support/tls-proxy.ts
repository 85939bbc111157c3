/** What terminates TLS in front of an app, for a browser that is told to take any certificate. */
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { certificate, certificateKey } from './certificate.js';

export interface TlsProxy {
  /** `https://localhost:…` */
  readonly origin: string;
  /** Where everything goes on to, over plain http; the app has to know `origin` before it can be started. */
  target: string;
  close(): Promise<void>;
}

export async function startTlsProxy(): Promise<TlsProxy> {
  const server = createServer({ key: certificateKey.trim(), cert: certificate.trim() }, (req, res) => {
    const { hostname: host, port } = new URL(proxy.target);
    const onward = request({ host, port, path: req.url, method: req.method, headers: req.headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    onward.once('error', () => res.destroy());
    req.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: TlsProxy = {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    target: '',
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
