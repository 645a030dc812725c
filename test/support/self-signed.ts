// A certificate that nobody has vouched for: self-signed, for localhost and 127.0.0.1, valid until 2126. Made once by
// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
// -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.

export const SELF_SIGNED = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUYD2QXoKQNsCH3EEz4ste3yrCRVYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4NDM0MVoYDzIxMjYxMDMx
MTg0MzQxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARcd8tMvkw7xwKh/3plJEOldP7nOWj69nSOZTZjND07pEAEJC375xPZ
Y4kH1mgTIcc2ebCvDL6qkPdj18gkE5aKo28wbTAdBgNVHQ4EFgQUW47zHf5i/e35
vIzLvy/L90pgCpcwHwYDVR0jBBgwFoAUW47zHf5i/e35vIzLvy/L90pgCpcwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgEsBpE5mSIdl1S+g0YFaL1Ogx1ukpT1AZmx/WCc9itIcCIQDO
KIg0mLa7afgwcHHWmEFl55kBZuivgfQfDgNGhZfIrw==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwjU+66kYIiTitrhq
kvi0oDBzRTLdX3Ik7Jw+IErttj2hRANCAARcd8tMvkw7xwKh/3plJEOldP7nOWj6
9nSOZTZjND07pEAEJC375xPZY4kH1mgTIcc2ebCvDL6qkPdj18gkE5aK
-----END PRIVATE KEY-----`,
}
