/** The only file that reads the environment. Everything has a default: `npm start` needs no settings. */
import { randomBytes } from 'node:crypto';

export interface Config {
  baseUrl: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  sessionSecret: string;
  redisUrl: string | undefined;
  apiUrl: string;
}

export interface Settings extends Omit<Config, 'baseUrl' | 'issuer' | 'apiUrl'> {
  /** 0: any free port. */
  port: number;
  /** An authorization server of your own; `web` or `CLIENT_ID` must be registered there. Left out: one is started here. */
  issuer: string | undefined;
  /** What the API expects as `aud` of the access token. */
  apiAudience: string;
  /** How long an access token of the authorization server that is started here lives: short, so that one sees it renewed. */
  accessTokenSeconds: number;
  /** The host name of that server. `localhost` makes it another site than the app, as in real life. */
  authorizationServerHost: string;
}

export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const random = (): string => randomBytes(32).toString('base64url');
  return {
    port: Number(environment['PORT'] ?? 3000),
    redisUrl: environment['REDIS_URL'],
    // A new one at each start signs everybody out, which suits a demo and nothing else.
    sessionSecret: environment['SESSION_SECRET'] ?? random(),
    issuer: environment['ISSUER'],
    clientId: environment['CLIENT_ID'] ?? 'web',
    clientSecret: environment['CLIENT_SECRET'] ?? random(),
    apiAudience: environment['API_AUDIENCE'] ?? 'https://api.example.com/',
    accessTokenSeconds: Number(environment['ACCESS_TOKEN_SECONDS'] ?? 10),
    authorizationServerHost: environment['AUTHORIZATION_SERVER_HOST'] ?? '127.0.0.1',
  };
}
