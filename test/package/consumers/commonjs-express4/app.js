'use strict';
const express = require('express');
const { codeFlow, handleAuthErrors, requireAuth } = require('express-code-flow');

exports.createApp = function createApp({ issuer, baseUrl, secret }) {
  const app = express();
  const auth = codeFlow({ provider: { issuer, clientId: 'web', clientSecret: 'not-used' }, baseUrl, secret });
  app.use(auth);
  app.get('/', (req, res) => res.send(req.oauth.isAuthenticated ? 'Welcome' : 'Hello'));
  app.get('/private', requireAuth(), (_req, res) => res.send('private'));
  app.use(handleAuthErrors());
  return { handler: app, close: () => auth.close() };
};
