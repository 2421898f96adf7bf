package charset

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

func TestTextComesBackFromAnyCommonEncoding(t *testing.T) {
	t.Parallel()
	russian := "Москва является столицей России и крупнейшим городом страны. Население города превышает двенадцать миллионов человек, а река Москва делит его на две части. Город основан в двенадцатом веке."
	chinese := "臺灣是位於東亞的島嶼，四面環海，氣候溫暖。這裡的人民以農業和工業為生，文化多元，歷史悠久。學校與圖書館遍布各地，讓學生能夠閱讀與學習。"
	simplified := "北京是中国的首都，也是全国的政治和文化中心。这里有许多大学和图书馆，学生们在这里学习和生活。城市的历史非常悠久，已经有三千多年。"
	japanese := "東京は日本の首都です。この都市にはたくさんの大学と図書館があり、学生たちはここで学んでいます。天気がよい日には富士山が見えることもあります。"
	korean := "서울은 대한민국의 수도이며 가장 큰 도시입니다. 이 도시에는 많은 대학교와 도서관이 있으며 학생들이 공부하고 있습니다. 날씨가 좋은 날에는 산이 보입니다."
	for _, c := range []struct{ name, enc, text string }{
		{"Russian in KOI8-R", "koi8-r", russian},
		{"Russian in Windows-1251", "windows-1251", russian},
		{"Chinese in Big5", "big5", chinese},
		{"Chinese in GBK", "gbk", simplified},
		{"Japanese in Shift-JIS", "shift_jis", japanese},
		{"Japanese in EUC-JP", "euc-jp", japanese},
		{"Japanese in ISO-2022-JP", "iso-2022-jp", japanese},
		{"Korean in EUC-KR", "euc-kr", korean},
		{"German in Windows-1252", "windows-1252", "Die schöne Frau hätte gern für zwölf Gäste „süße“ Brötchen – für 12 €. Das war köstlich, und alle fühlten sich außerordentlich wohl."},
		{"French in Windows-1252", "windows-1252", "L’été était très chaud cette année. J’ai acheté un café au lait pour 3,50 €, c’était délicieux et même à côté de la forêt."},
		{"Polish in Windows-1250", "windows-1250", "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa. Źródło świeżej żywności."},
		{"Greek in Windows-1253", "windows-1253", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και συνείδηση."},
		{"Hebrew in Windows-1255", "windows-1255", "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחווה."},
		{"Arabic in Windows-1256", "windows-1256", "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإخاء."},
		{"UTF-16 with a mark", "utf-16", "\uFEFFGrüße aus Köln, 2024"},
		{"UTF-16 without a mark", "utf-16le", "Plain words and Grüße, long enough to look at."},
		{"big-endian UTF-16 without a mark", "utf-16be", "Plain words and Grüße, long enough to look at."},
		{"UTF-8 with a mark", "utf-8", "\uFEFFnaïve café"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := htmlindex.Get(c.enc)
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.NewEncoder().Bytes([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, as := Decode(b, "")
			if want := strings.TrimPrefix(c.text, "\uFEFF"); got != want {
				t.Errorf("read as %s: %q, want %q", as, got, want)
			}
		})
	}
}

func TestAFalseDeclarationIsNotBelieved(t *testing.T) {
	t.Parallel()
	e, _ := htmlindex.Get("windows-1251")
	text := "Москва является столицей России и крупнейшим городом страны, а река делит его на две части."
	b, _ := e.NewEncoder().Bytes([]byte(text))
	for _, declared := range []string{"utf-8", "no-such-charset", "", "shift_jis"} {
		if got, as := Decode(b, declared); got != text {
			t.Errorf("declared %q: read as %s: %q", declared, as, got)
		}
	}
	if got, as := Decode([]byte(text), "windows-1251"); got != text || as != "utf-8" {
		t.Errorf("valid UTF-8 declared as windows-1251 was read as %s: %q", as, got)
	}
}

func TestAFewBrokenBytesDoNotHideUTF8(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Größe und Übermut für alle. ", 20)
	got, as := Decode([]byte(text+"\xC3"), "")
	if as != "utf-8" || got != text+"\uFFFD" {
		t.Errorf("read as %s: %q", as, got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("plain"), "utf-8")
	f.Add([]byte("\xff\xfea\x00"), "")
	f.Add([]byte("\x1b$B%F%9%H\x1b(B"), "iso-2022-jp")
	f.Add([]byte("\xb7\xc4"), "big5")
	if b, err := os.ReadFile("charset.go"); err == nil {
		f.Add(b, "x")
	}
	f.Fuzz(func(t *testing.T, b []byte, declared string) {
		got, as := Decode(b, declared)
		if as == "" || strings.ToValidUTF8(got, "") != got {
			t.Fatalf("read as %q: not UTF-8: %q", as, got)
		}
	})
}
