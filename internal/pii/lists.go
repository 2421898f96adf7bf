package pii

import (
	_ "embed"
	"strings"
)

// Looks are in lower case, so the phrases are too; see scan.before.
var (
	phoneWords = []string{
		"phone", "phones", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "call", "calling", "dial", "ring", "whatsapp", "sms", "text me", "reach", "reached",
		"contact number", "phone number", "answering", "hotline", "helpline", "landline", "extension", "office", "telefon", "telefonnummer", "handy", "mobil", "rufnummer",
		"téléphone", "tél", "portable", "teléfono", "telefono", "móvil", "celular", "cellulare", "telefone", "telefoon", "puhelin", "telefonszám", "τηλέφωνο", "телефон", "電話", "电话",
	}
	phoneLabels = set("office fax mobile cell phone tel telephone landline")
	cardWords   = []string{"card", "cards", "credit", "debit", "visa", "mastercard", "amex", "maestro", "cc", "kreditkarte", "karte", "carte", "tarjeta", "carta", "cartão"}

	routingWords  = []string{"routing", "routing number", "aba", "rtn", "transit"}
	sortCodeWords = []string{"sort code", "sortcode"}
	accountWords  = []string{
		"account number", "account no", "account nr", "acct", "acct no", "account", "bank account", "iban", "a c", "kontonummer", "konto", "rekeningnummer", "compte",
		"numéro de compte", "número de cuenta", "cuenta", "conto corrente", "conta",
	}
	passportWords = []string{"passport", "passport no", "passport number", "reisepass", "reisepassnummer", "passeport", "pasaporte", "passaporto", "passaporte", "paspoort", "paspoortnummer"}
	licenseWords  = []string{
		"driver license", "drivers license", "driver licence", "drivers licence", "driving license", "driving licence", "license number", "licence number", "dl no", "dl number",
		"führerschein", "führerscheinnummer", "permis de conduire", "permiso de conducir", "patente di guida", "rijbewijs", "carta de condução", "cnh",
	}
	versionWords = []string{"version", "ver", "v", "release", "section", "chapter", "clause"}
	birthWords   = []string{
		"born", "birth", "dob", "d o b", "birthday", "birthdate", "birth date", "date of birth", "geboren", "geb", "geburtsdatum", "geburtstag", "né le", "née le", "date de naissance",
		"nacido", "nacida", "nacimiento", "nato il", "nata il", "nascita", "nascido", "nascida", "nascimento", "geboortedatum", "född", "født", "syntynyt", "urodzony", "urodzona", "született",
	}
	zipWords = []string{"zip", "zip code", "zipcode", "postal code", "postcode", "post code", "plz", "postleitzahl", "code postal", "código postal", "cap", "cep", "pincode"}

	titles = set("mr mrs ms miss mx dr prof professor sir madam mister herr frau monsieur madame mademoiselle mme mlle señor señora sr sra srta signor signora sig dhr mevr dom doña lord lady rev reverend capt captain sgt judge senator hr fru pan pani")
	// wordsOfTitles are titles that are other words too, so that only a capital tells.
	wordsOfTitles  = set("miss sir madam lord lady judge captain senator pan sig dom professor mister")
	nameSuffixes   = set("jr sr ii iii iv phd md esq dds")
	particles      = set("van von der den de la le du da do dos das del della di al el bin ibn ben abu ter ten zu zur zum of the y e af av i am an auf unter op st")
	companies      = set("ltd limited inc incorporated corp corporation llc llp plc gmbh ag sa bv nv company co group holdings foundation university college institute bank partners associates solutions systems technologies services agency association society ministry department hospital school airlines motors industries")
	labels         = set("name user applicant patient employee attn surname nom nombre nome vorname nachname") // what a form says before a name
	bareCues       = set("address anschrift adresse dirección indirizzo endereço")                             // alone they say too little; a colon does
	speaks         = set("said says asked told replied shouted wrote answered laughed smiled lives lived works worked thinks thought married")
	surnameEndings = strings.Fields("dóttir sson ović ević ovic evic enko wski wska owski owska ewski escu opoulos idis akis oğlu ová ova ovna ovich berger stein mann ström qvist kvist gaard sen shvili dze yan ński ńska ičová ić")

	months = map[string]int{}

	units         = set("apt apartment suite ste unit flat room floor fl appt wohnung etage lgh piso depto")
	streetWords   = set("street st road rd avenue ave av lane ln drive dr court ct boulevard blvd way place pl square sq terrace close crescent parkway pkwy highway hwy row walk gardens grove mews trail circle cir alley quay brook creek ridge hill view path loop pike turnpike esplanade utca út útja tér u köz sok sokak ulica katu tie gata gate vei vej veien gasse allé str strasse straße weg")
	longStreets   = set("street road avenue lane boulevard parkway highway crescent terrace utca ulica katu")
	streetFirst   = set("rue avenue av boulevard bd via viale piazza corso vicolo strada calle avenida avda plaza paseo carrer rua travessa praça ul ulica aleja al os plac cours impasse chemin quai allée route faubourg οδός λεωφόρος улица проспект calçada largo estrada rruga bulevar trg")
	streetEndings = strings.Fields("strasse straße gasse gatan vägen gränd backen vej gade alle allé straat laan plein dreef gracht singel steeg dijk kade weg platz ufer damm katu kuja polku tie gata vegen veien utca stígur götu")
	states        = set("AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AA AE AP NSW QLD VIC TAS ACT ON QC BC AB MB SK NS NB")

	// openers begin sentences and are no names.
	openers = set(`a an the this that these those i you he she it we they my your his her its our their who what when where why how which whose there here is are was were be been do does did
		have has had will would can could should may might must shall if then else and or but not no yes so as at by for from in into of on off to with without after before during while since until
		because although though however also only just even still already again ever never always often sometimes please thanks thank hello hi hey dear ok okay well oh all any both each every few more
		most other some such than too very one two three four five six seven eight nine ten first second last next new old good bad great many much let lets i'm i'll i've i'd it's that's there's don't
		can't won't isn't unlike like monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october november december today tomorrow yesterday
		der die das ein eine und oder nicht ist sind von mit für auf le la les un une et ou est sont dans pour avec el los las una y o es son en para con il lo gli uno e di che per bot user re fw fwd subject date phone email address name`)
	// plainWords are no names where a text has no capitals to tell.
	plainWords = set(`going not sure sorry happy here there trying looking working from about for that is was and or but to of in on at with will be said has have had had been talking trying been called
		concert novel song name account card number phone email address street novel named who which when very really just still also now then than more most some any all both jealous having getting
		being a an the my your his her its our their this these those it he she they we you i me him us them s t lives lived moved works do does did can could would should`)
	commonNames = set(`april may june august will mark rose grace hope faith joy jordan chase hunter mason carter paris austin chelsea brooklyn dakota dallas florence sydney virginia georgia carolina
		israel christian jasmine daisy lily ivy violet ruby pearl amber crystal summer autumn dawn eve frank rich bill bob pat drew grant dean earl art ray rob sue nick don dick jack gene guy max van
		art angel jesus eden page reed lane kit cliff glen dale forest heath rusty sandy misty penny ginger sunny holly melody harmony destiny trinity major duke king prince baron bishop abbot pope
		young green brown white black gray grey stone wood woods hill brook field ford park banks fields rivers waters bush english french german day long short small little best strong noble rice
		bell ball hall price cook baker butler fisher gardener mason miller taylor cooper turner walker parker porter potter carpenter marshall page spencer steward lamb fox wolf bird swan crane hart
		love lord power powers wise sharp sweet bright moon star case chance cash gold silver mills wells west north east fall winter lee an so long my do ali sung bo la can per ben in said min thanh dina kent`)
	commonPlaces = set("turkey jordan chad china guinea mali niger oman togo cuba peru")
)

// What stands right before a name, an address or a place.
const (
	nameCue    = iota // a name follows, also one that is written small
	capitalCue        // a name follows where a capital does
	greeting
	addressCue
	placeCue
)

// cue is a phrase in spaces, as a look has it.
type cue struct {
	kind   int
	phrase string
}

// cues are by their last word.
var cues = map[string][]cue{}

var cueWords = []struct {
	kind    int
	phrases []string
}{
	{nameCue, []string{
		"my name is", "name is", "his name is", "her name is", "name", "full name", "first name", "last name", "surname", "maiden name is", "call me", "people call me", "calls me",
		"named him", "named her", "partner s name", "partners name", "wife s name", "husbands name", "under the name", "user", "applicant", "patient", "employee", "attn", "customer name",
		"ich heiße", "mein name ist", "je m appelle", "me llamo", "mi chiamo", "meu nome é", "nom", "nombre", "nome", "vorname", "nachname",
	}},
	{capitalCue, []string{
		"by", "said", "said to", "says", "told", "asked", "shouted at", "spoke to", "talked to", "met", "married", "named", "called", "signed", "to mr", "directed by", "starring",
		"written by", "with", "from mr", "contact", "regards", "sincerely", "thanks", "cheers", "under", "of mr", "account of", "ask", "seen",
	}},
	{greeting, []string{"hi", "hello", "dear", "hey", "hallo", "lieber", "liebe", "bonjour", "cher", "chère", "hola", "ciao", "caro", "cara"}},

	{addressCue, []string{
		"address is", "address to", "address with", "address", "his address", "her address", "my address", "lives at", "live at", "lived at", "living at", "resides at",
		"residing at", "sent to", "send it to", "ship to", "shipped to", "deliver to", "delivered to", "return to", "taxi to", "meet me at", "office is at", "located at", "moved to", "wohnhaft in",
		"anschrift", "adresse", "dirección", "indirizzo", "endereço",
	}},
	{placeCue, []string{
		"lives in", "live in", "lived in", "living in", "moved to", "moved here from", "comes from", "originally from", "grew up in", "born in", "resident of", "city of", "town of",
		"village of", "resides in", "based in", "located in", "travelled to", "traveled to", "flew to", "street in", "wohnt in", "habite à", "vive en", "abita a",
	}},
}

//go:embed given.txt
var givenText string

//go:embed surnames.txt
var surnameText string

//go:embed countries.txt
var countryText string

//go:embed cities.txt
var cityText string

var (
	givenNames   = set(givenText)
	surnames     = set(surnameText)
	countries    = lines(countryText)
	countryFirst = map[string]bool{}
	cities       = lines(cityText)
)

func init() {
	for _, k := range cueWords {
		for _, p := range k.phrases {
			last := p[strings.LastIndexByte(p, ' ')+1:]
			cues[last] = append(cues[last], cue{k.kind, " " + p + " "})
		}
	}
	for name := range countries {
		first, _, _ := strings.Cut(name, " ")
		first, _, _ = strings.Cut(first, "-")
		countryFirst[first] = true
	}
	for _, names := range []string{
		"january february march april may june july august september october november december",
		"jan feb mar apr - jun jul aug sep oct nov dec",
		"januar februar märz april mai juni juli august september oktober november dezember",
		"janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
		"enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
		"gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
		"janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
		"januari februari maart april mei juni juli augustus september oktober november december",
	} {
		for i, name := range strings.Fields(names) {
			months[name] = i + 1
		}
	}
}

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

func lines(text string) map[string]bool {
	out := map[string]bool{}
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out[l] = true
		}
	}
	return out
}
