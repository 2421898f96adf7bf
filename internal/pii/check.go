package pii

// The check digits of numbers. Each takes digits only.

func atoi(d string) int {
	v := 0
	for i := range len(d) {
		v = v*10 + int(d[i]-'0')
	}
	return v
}

func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// weighted is the sum of the digits by their weights.
func weighted(d string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(d[i]-'0')
	}
	return sum
}

// mod97 reads digits and letters (A is 10) as one number.
func mod97(t string) int {
	m := 0
	for i := range len(t) {
		c := t[i]
		switch {
		case digit(c):
			m = (m*10 + int(c-'0')) % 97
		default:
			m = (m*100 + int(c&^0x20-'A') + 10) % 97
		}
	}
	return m
}

func aba(d string) bool {
	two := atoi(d[:2])
	known := two <= 12 || two >= 21 && two <= 32 || two >= 61 && two <= 72 || two == 80
	return known && d != "000000000" && weighted(d, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0
}

var (
	verhoeffD = [10]string{"0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"}
	verhoeffP = [8]string{"0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"}
)

func verhoeff(d string) bool {
	c := 0
	for i := range len(d) {
		c = int(verhoeffD[c][verhoeffP[i%8][d[len(d)-1-i]-'0']-'0'] - '0')
	}
	return c == 0
}

// iso7064 is the check of MOD 11,10.
func iso7064(d string) bool {
	p := 10
	for i := range len(d) - 1 {
		s := (int(d[i]-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return (11-p)%10 == int(d[len(d)-1]-'0')
}

// day tells whether the digits are a day and a month.
func day(dd, mm string) bool {
	d, m := atoi(dd), atoi(mm)
	return d >= 1 && d <= 31 && m >= 1 && m <= 12
}
