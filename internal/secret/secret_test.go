package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var (
	first  = bytes.Repeat([]byte{1}, 32)
	second = bytes.Repeat([]byte{2}, 32)
	here   = Place{Table: "llm_configuration", OrgID: 1, RowID: 7}
)

func box(t *testing.T, master []byte, older ...[]byte) *Box {
	t.Helper()
	b, err := New(master, older...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatWasSealedOpensAtItsPlaceOnly(t *testing.T) {
	t.Parallel()
	b := box(t, first)
	for _, plain := range []Text{"", "sk-123", Text(strings.Repeat("ü", 5000))} {
		sealed := b.Seal(plain, here)
		if plain != "" && strings.Contains(sealed, string(plain)) {
			t.Errorf("%q is not encrypted", sealed)
		}
		if sealed == b.Seal(plain, here) {
			t.Error("the same text is sealed alike twice, which tells that it is the same")
		}
		if got, err := b.Open(sealed, here); err != nil || got != plain {
			t.Errorf("opened %q, %v", string(got), err)
		}
		for _, elsewhere := range []Place{{"llm_configuration", 1, 8}, {"llm_configuration", 2, 7}, {"tool", 1, 7}, {}} {
			if _, err := b.Open(sealed, elsewhere); err == nil {
				t.Errorf("opened at %+v", elsewhere)
			}
		}
	}
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	b := box(t, first)
	sealed := b.Seal("sk-123", here)
	at := strings.LastIndexByte(sealed, '.') + 3
	other := byte('A')
	if sealed[at] == other {
		other = 'B'
	}
	for _, bad := range []string{"", "v1", "v1.", "sk-123", "v2" + sealed[2:], sealed[:len(sealed)-4], sealed[:at] + string(other) + sealed[at+1:], sealed + "!"} {
		if got, err := b.Open(bad, here); err == nil {
			t.Errorf("%q opened as %q", bad, string(got))
		}
	}
}

func TestANewMasterKeyOpensWhatTheOldOneSealedAndSealsByItself(t *testing.T) {
	t.Parallel()
	old := box(t, first).Seal("sk-123", here)
	both := box(t, second, first)
	if got, err := both.Open(old, here); err != nil || got != "sk-123" {
		t.Errorf("%q, %v", string(got), err)
	}
	if _, err := box(t, second).Open(both.Seal("x", here), here); err != nil {
		t.Errorf("the new key alone: %v", err)
	}
	if _, err := box(t, second).Open(old, here); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("without the old key: %v", err)
	}
	if _, err := New([]byte("short")); err == nil {
		t.Error("a short master key is taken")
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := struct{ Key Text }{"sk-123"}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "key", s.Key, "all", s)
	for _, out := range []string{string(b), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s.Key, s.Key), log.String()} {
		if strings.Contains(out, "123") {
			t.Errorf("printed: %s", out)
		}
	}
	var back struct{ Key Text }
	if err := json.Unmarshal([]byte(`{"Key":"sk-9"}`), &back); err != nil || string(back.Key) != "sk-9" {
		t.Errorf("a secret is read as it is sent: %q, %v", string(back.Key), err)
	}
}
