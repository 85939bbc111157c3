/** What terminates TLS in front of an app, for a browser that is told to take any certificate. */
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Of nobody but `https://localhost` in the tests; valid until 2126. */
const certificate = `
-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUHtBb6C3ciOvnOsC/q8dsLqUxmkAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjAzMzU1NFoYDzIxMjYxMDI5
MDMzNTU0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARKMwYV5ej5tSS+3CA0W8MefjqsA0h0oL1T6D/nEfDTCgQIc2OB8MtO
vVlvcUTYYFBmiy0zwxM3a30Hi7B4D+gQo2kwZzAdBgNVHQ4EFgQU4Rvf31wFdCem
i/AADki/78Vks1swHwYDVR0jBBgwFoAU4Rvf31wFdCemi/AADki/78Vks1swDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAKPOtlQdh43pIUCUYRuICATYUgyeKJRPWwYQgodxdtr3AiEA9iIAh9Zp
bV9KjJk6h4/xNo7sd5pxVm+EK6dR3H86TM4=
-----END CERTIFICATE-----
`;

const key = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg597v8+Y3b3Uv/UoO
uwiBEsHnZ8BH1Th87KA/t5s1WUKhRANCAARKMwYV5ej5tSS+3CA0W8MefjqsA0h0
oL1T6D/nEfDTCgQIc2OB8MtOvVlvcUTYYFBmiy0zwxM3a30Hi7B4D+gQ
-----END PRIVATE KEY-----
`;

export interface TlsProxy {
  /** `https://localhost:…` */
  readonly origin: string;
  /** Where everything goes on to, over plain http; the app has to know `origin` before it can be started. */
  target: string;
  close(): Promise<void>;
}

export async function startTlsProxy(): Promise<TlsProxy> {
  const server = createServer({ key: key.trim(), cert: certificate.trim() }, (req, res) => {
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
