package portone

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// banks are V2's names of banks, as Bank in its schema has them.
const banks = `
BANK_OF_KOREA KDB IBK KOOKMIN SUHYUP KEXIM NONGHYUP LOCAL_NONGHYUP WOORI STANDARD_CHARTERED CITI SUHYUP_FEDERATION DAEGU
BUSAN KWANGJU JEJU JEONBUK KYONGNAM KFCC SHINHYUP SAVINGS_BANK MORGAN_STANLEY HSBC DEUTSCHE JPMC MIZUHO MUFG
BANK_OF_AMERICA BNP_PARIBAS ICBC BANK_OF_CHINA NFCF UOB BOCOM CCB POST KODIT KIBO HANA SHINHAN K_BANK KAKAO TOSS
MISC_FOREIGN SGI KCIS YUANTA_SECURITIES KB_SECURITIES SANGSANGIN_SECURITIES HANYANG_SECURITIES LEADING_SECURITIES
BNK_SECURITIES IBK_SECURITIES DAOL_SECURITIES MIRAE_ASSET_SECURITIES SAMSUNG_SECURITIES KOREA_SECURITIES NH_SECURITIES
KYOBO_SECURITIES HI_SECURITIES HYUNDAI_MOTOR_SECURITIES KIWOOM_SECURITIES EBEST_SECURITIES SK_SECURITIES
DAISHIN_SECURITIES HANHWA_SECURITIES HANA_SECURITIES TOSS_SECURITIES SHINHAN_SECURITIES DB_SECURITIES EUGENE_SECURITIES
MERITZ_SECURITIES KAKAO_PAY_SECURITIES BOOKOOK_SECURITIES SHINYOUNG_SECURITIES CAPE_SECURITIES KOREA_SECURITIES_FINANCE
KOREA_FOSS_SECURITIES WOORI_INVESTMENT_BANK`

// maxBankCode bounds a bank's code of V1: a number or a few letters, by payment provider.
const maxBankCode = 16

// CheckAccount says what is wrong with a buyer's bank account for a refund by one of
// PortOne's versions. V2 has names of its own for banks; V1 takes the code that the
// payment provider has for one.
func CheckAccount(version gate.Version, a *gate.BankAccount) error {
	if err := a.Validate(); err != nil {
		return err
	}
	names := strings.Fields(banks)
	switch {
	case version == gate.V2 && !slices.Contains(names, a.Bank):
		return fmt.Errorf("bank %.64q: PortOne's V2 knows it by none of its names, which are %s", a.Bank,
			strings.Join(names, ", "))
	case version == gate.V1 && (len(a.Bank) > maxBankCode || !wordLike(a.Bank)):
		return fmt.Errorf("bank %.64q: must be the code that the payment provider has for it, such as 004; PortOne's "+
			"page on bank codes of V1 lists them", a.Bank)
	}
	return nil
}
