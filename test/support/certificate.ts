/** A certificate and its key for the tests, so that nobody needs openssl to run them. */

/** Of nobody but `https://localhost` in the tests; valid until 2126. */
export const certificate = `
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

export const certificateKey = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg597v8+Y3b3Uv/UoO
uwiBEsHnZ8BH1Th87KA/t5s1WUKhRANCAARKMwYV5ej5tSS+3CA0W8MefjqsA0h0
oL1T6D/nEfDTCgQIc2OB8MtOvVlvcUTYYFBmiy0zwxM3a30Hi7B4D+gQ
-----END PRIVATE KEY-----
`;
