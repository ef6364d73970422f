package cli

// embeddedRedis is what --redis says where the embedded store is meant.
const embeddedRedis = "embedded"

// embedded reports whether the gate keeps its sales in its own memory.
func (c *serveCommand) embedded() bool { return c.Redis == "" || c.Redis == embeddedRedis }

// real names a setting that nobody gives a gate for a look, or returns "": with
// one, a Redis that is not given was forgotten.
func (c *serveCommand) real() string {
	for _, setting := range []struct {
		flag  string
		given bool
	}{
		{"--sales", c.Sales != ""},
		{"--signing-key", c.keysFlag.given()},
		{"--webhook-secret", c.WebhookSecret != nil || c.WebhookSecretFile != nil},
		{"--notify-secret", c.NotifySecret != nil || c.NotifySecretFile != nil},
		{"--admin-token", c.AdminToken != nil || c.AdminTokenFile != nil},
		{"--admin-read-token", c.AdminReadToken != nil || c.AdminReadTokenFile != nil},
		{"--admin-tls-cert", c.AdminTLSCert != ""},
		{"--public-url", c.PublicURL != ""},
		{"--portone-v1-key", c.PortoneV1Key != ""},
		{"--portone-v1-secret", c.PortoneV1Secret != nil || c.PortoneV1SecretFile != nil},
		{"--portone-v2-secret", c.PortoneV2Secret != nil || c.PortoneV2SecretFile != nil},
		{"--forward-webhooks", c.ForwardWebhooks != ""},
		{"--trusted-proxies", len(c.TrustedProxies) > 0},
		{"--allow-from", len(c.AllowFrom) > 0},
	} {
		if setting.given {
			return setting.flag
		}
	}
	return ""
}
