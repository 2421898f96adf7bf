package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"atrium/internal/signin"
)

// DefaultFile is read when no other file is named, if it exists.
const DefaultFile = "atrium.yaml"

// groups are the settings with settings below them.
var groups = append([]string{"llm", "embed", "rerank"}, ssoGroups()...)

func ssoGroups() []string {
	var out []string
	for _, name := range signin.Names() {
		out = append(out, "sso_"+name)
	}
	return out
}

// Load reads the settings: what is set by flags wins over the environment,
// which wins over the file, which wins over the defaults. A key that does not
// exist is an error, because it is a setting that somebody believes in.
func Load(path string, flags map[string]any) (Config, error) {
	c := Defaults()
	k := koanf.New(".")
	named := path != ""
	if !named {
		path = DefaultFile
	}
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return c, fmt.Errorf("read the settings in %s: %w", path, err)
	}
	if err := k.Load(env.Provider(".", env.Opt{Prefix: "ATRIUM_", TransformFunc: key}), nil); err != nil {
		return c, fmt.Errorf("read the settings in the environment: %w", err)
	}
	if err := k.Load(confmap.Provider(flags, "."), nil); err != nil {
		return c, fmt.Errorf("read the flags: %w", err)
	}
	known := knownKeys()
	for _, name := range k.Keys() {
		if !slices.Contains(known, name) {
			return c, fmt.Errorf("there is no setting %s; see the handbook for the names", "ATRIUM_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_")))
		}
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, fmt.Errorf("read the settings: %w", err)
	}
	c.OpenAIKey, c.AnthropicKey = os.Getenv("OPENAI_API_KEY"), os.Getenv("ANTHROPIC_API_KEY")
	return c, nil
}

// key turns ATRIUM_LLM_BASE_URL into llm.base_url. Variables of the tests and
// of the command line are not settings of the server.
func key(name, value string) (string, any) {
	name = strings.ToLower(strings.TrimPrefix(name, "ATRIUM_"))
	if strings.HasPrefix(name, "e2e_") || name == "test_model" || name == "url" || name == "token" || name == "config" || value == "" {
		return "", nil
	}
	for _, g := range groups {
		if rest, ok := strings.CutPrefix(name, g+"_"); ok {
			return g + "." + rest, value
		}
	}
	return name, value
}

func knownKeys() []string {
	model := []string{"base_url", "api_key", "model", "prompt_price", "completion_price"}
	known := []string{"listen", "data", "database_url", "vectors", "public_url", "org_name", "admin_email", "admin_password", "api_key", "app_secret",
		"master_key", "require_api_key", "egress_allow", "max_upload", "ocr_languages", "trusted_proxies", "blob_url", "blob_access_key", "blob_secret_key", "smtp_url", "mail_from", "sso_create_users", "open_registration", "log_level", "log_format"}
	sso := []string{"client_id", "client_secret", "issuer", "tenant"}
	for _, g := range groups {
		keys := model
		if strings.HasPrefix(g, "sso_") {
			keys = sso
		}
		for _, k := range keys {
			known = append(known, g+"."+k)
		}
	}
	return known
}
