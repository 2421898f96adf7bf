package pii

import "strings"

// idRule is how a country numbers people. A number whose form is free, or whose
// check is weak, counts only beside a word that names it.
type idRule struct {
	length int
	check  func(d string) bool
	formed func(n *number) bool // written so that no word is needed; nil for never
	words  []string
}

var idRules = []idRule{
	{9, ssn, func(n *number) bool { return n.sizes(3, 2, 4) && n.parted("-") }, // United States: SSN and ITIN
		[]string{"ssn", "social security", "social security number", "itin", "taxpayer"}},
	{10, nhs, nil, []string{"nhs", "national health"}},
	{9, func(d string) bool { return d[0] != '0' && luhn(d) }, nil, []string{"sin", "social insurance", "nas", "assurance sociale"}},                             // Canada
	{11, func(d string) bool { return d[0] != '0' && iso7064(d) }, nil, []string{"steuer", "steuer id", "steueridentifikationsnummer", "idnr", "tin", "tax id"}}, // Germany
	{15, nir, func(n *number) bool { return n.single() || n.parted(" ") }, []string{"nir", "sécurité sociale", "insee"}},                                         // France
	{9, bsn, nil, []string{"bsn", "burgerservicenummer", "sofinummer"}},                                                                                          // Netherlands
	{8, func(d string) bool { return bsn("0" + d) }, nil, []string{"bsn", "burgerservicenummer"}},
	{11, rijksregister, func(n *number) bool { return n.sizes(2, 2, 2, 3, 2) }, []string{"rijksregister", "rijksregisternummer", "registre national", "numéro national"}}, // Belgium
	{11, pesel, nil, []string{"pesel"}},        // Poland
	{11, fodselsnummer, (*number).single, nil}, // Norway
	{10, func(d string) bool { return day(d[4:6], d[2:4]) && luhn(d) }, func(n *number) bool { return n.sizes(6, 4) && n.parted("-") }, // Sweden
		[]string{"personnummer", "samordningsnummer"}},
	{12, func(d string) bool { return day(d[6:8], d[4:6]) && luhn(d[2:]) }, func(n *number) bool { return n.sizes(8, 4) && n.parted("-") }, []string{"personnummer"}},
	{10, func(d string) bool { return day(d[:2], d[2:4]) }, nil, []string{"cpr", "cpr nr", "cpr nummer", "personnummer"}},                                                      // Denmark
	{11, cpf, func(n *number) bool { return n.sizes(3, 3, 3, 2) && n.groups[1].sep == "." }, []string{"cpf"}},                                                                  // Brazil
	{12, func(d string) bool { return d[0] >= '2' && verhoeff(d) }, func(n *number) bool { return n.sizes(4, 4, 4) && n.parted(" ") }, []string{"aadhaar", "aadhar", "uidai"}}, // India
	{18, resident, (*number).single, nil}, // China
	{9, func(d string) bool { return weighted(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 }, nil, []string{"tfn", "tax file"}}, // Australia
	{10, func(d string) bool {
		return d[0] >= '2' && d[0] <= '6' && weighted(d, 1, 3, 7, 9, 1, 3, 7, 9)%10 == int(d[8]-'0')
	}, nil, []string{"medicare"}},
	{13, rrn, func(n *number) bool { return n.sizes(6, 7) && n.parted("-") }, []string{"주민등록번호", "rrn", "resident registration"}}, // Korea
	{13, func(d string) bool { return strings.HasPrefix(d, "756") && ean13(d) }, func(n *number) bool { return n.sizes(3, 4, 4, 2) && n.parted(".") }, // Switzerland
		[]string{"ahv", "avs", "ahv nr", "ahv nummer"}},
	{13, func(d string) bool { return day(d[4:6], d[2:4]) && d[10] <= '2' && luhn(d) }, (*number).single, nil}, // South Africa
	{9, func(d string) bool {
		return d[0] != '0' && (11-weighted(d, 9, 8, 7, 6, 5, 4, 3, 2)%11)%11%10 == int(d[8]-'0')
	}, nil, []string{"nif", "contribuinte"}}, // Portugal
	{10, func(d string) bool { return weighted(d, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == int(d[3]-'0') }, nil, []string{"svnr", "sozialversicherungsnummer", "versicherungsnummer"}},
	{11, kimlik, nil, []string{"tc kimlik", "kimlik", "kimlik no"}}, // Turkey
	{9, luhn, nil, []string{"teudat zehut", "mispar zehut"}},
	{12, func(string) bool { return true }, nil, []string{"my number", "マイナンバー", "個人番号"}},
}

// anyID are words that make any number of some length one of a person.
var anyID = []string{
	"national id", "national identity", "identity number", "identity card", "id card number", "id number", "national insurance", "tax id", "tax identification",
	"taxpayer id", "personal id", "personal number", "citizen id", "personalausweis", "ausweisnummer", "personalausweisnummer", "dni", "nie", "cédula", "cedula",
	"carte d identité", "codice fiscale", "rg", "voter id", "medical record number", "mrn", "health insurance number", "social security",
}

func (n *number) national(before string) bool {
	if n.plus || n.paren {
		return false
	}
	for _, r := range idRules {
		if len(n.digits) != r.length || !r.check(n.digits) {
			continue
		}
		if r.formed != nil && r.formed(n) || says(before, r.words) {
			return true
		}
	}
	return len(n.digits) >= 6 && len(n.digits) <= 18 && says(before, anyID)
}

func ssn(d string) bool {
	area, group, serial := atoi(d[:3]), atoi(d[3:5]), atoi(d[5:])
	if area >= 900 { // ITIN
		return group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94
	}
	return area != 0 && area != 666 && group != 0 && serial != 0
}

func nhs(d string) bool {
	c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return c%11 == int(d[9]-'0') && c != 10
}

func nir(d string) bool {
	m := atoi(d[3:5])
	return strings.Contains("123478", d[:1]) && (m >= 1 && m <= 12 || m >= 20 && m <= 42 || m >= 50) && atoi(d[13:]) == 97-atoi(d[:13])%97
}

func bsn(d string) bool {
	return d != "000000000" && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
}

func rijksregister(d string) bool {
	body, check := d[:9], atoi(d[9:])
	return day(d[4:6], d[2:4]) && (97-atoi(body)%97 == check || 97-atoi("2"+body)%97 == check)
}

func pesel(d string) bool {
	m := atoi(d[2:4]) % 20
	return m >= 1 && m <= 12 && atoi(d[4:6]) <= 31 && (weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)+int(d[10]-'0'))%10 == 0
}

func fodselsnummer(d string) bool {
	return day(d[:2], d[2:4]) && weighted(d, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 && weighted(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

func cpf(d string) bool {
	a := weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	b := weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	return strings.Count(d, d[:1]) < len(d) && a == int(d[9]-'0') && b == int(d[10]-'0')
}

// resident is a Chinese number; its last place may be an X, which stands among codes.
func resident(d string) bool {
	return year(atoi(d[6:10])) && day(d[12:14], d[10:12]) && residentCheck(d) == d[17]
}

func residentCheck(d string) byte {
	return "10X98765432"[weighted(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)%11]
}

func rrn(d string) bool {
	return day(d[4:6], d[2:4]) && d[6] >= '1' && d[6] <= '8' && (11-weighted(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d[12]-'0')
}

func ean13(d string) bool {
	return (10-weighted(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)%10)%10 == int(d[12]-'0')
}

func kimlik(d string) bool {
	odd, even := weighted(d, 1, 0, 1, 0, 1, 0, 1, 0, 1), weighted(d, 0, 1, 0, 1, 0, 1, 0, 1)
	return d[0] != '0' && ((7*odd-even)%10+10)%10 == int(d[9]-'0') && weighted(d, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)%10 == int(d[10]-'0')
}
