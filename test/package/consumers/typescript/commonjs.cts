// A CommonJS module in TypeScript: `require()` of ES modules has types too.
import auth = require('express-code-flow');

export const guard = auth.requireAuth({ scope: 'orders' });
