package main

import (
	"strings"

	"sluice/internal/literal"
	"sluice/message"
	"sluice/message/links"
)

// A kind of phish by what it says. The one of which most words are met is a message's;
// of two with as many, the first. A word in the subject counts twice.
type kind struct {
	name  string
	words *literal.Matcher
	least int // words, the subject's twice
}

func words(s string) *literal.Matcher {
	var list []string
	for w := range strings.SplitSeq(s, "|") {
		if w = strings.Join(strings.Fields(w), " "); w != "" {
			list = append(list, w)
		}
	}
	return literal.New(list)
}

// Kinds that no words tell.
const (
	attached  = "attachment"
	picture   = "picture alone"
	otherKind = "other"
)

// kinds are in the languages that most of the collection is in.
var kinds = []kind{
	{"extortion", words(`webcam|masturbat|recorded you|your contacts|porn|pervert|i hacked|have access to your|spyware|compromising|embarrass|to this bitcoin|btc wallet|my bitcoin`), 3},
	{"invoice or call-back", words(`invoice|order id|order number|transaction id|renewal|subscription|auto-renew|has been charged|will be charged|been debited|customer care|helpline|toll free|toll-free|call us|
		refund|geek squad|norton|mcafee|antivirus|facture|rechnung|factura|fatura|boleto|purchase order`), 3},
	{"parcel", words(`parcel|package|shipment|shipping fee|delivery|tracking number|customs|courier|usps|fedex|dhl|royal mail|ups |evri|colis|livraison|chronopost|la poste|paket|sendung|zustell|zoll|correios|encomenda|
		rastre|paquete|correos|envío|pacco|spedizione|pakket|postnl|お荷物|配達`), 2},
	{"crypto or investment", words(`bitcoin|btc|crypto|ethereum|wallet|metamask|ledger|trezor|coinbase|binance|blockchain|airdrop|token|seed phrase|trading|investor|investment|profit|portfolio|staking|nft|usdt|trust wallet`), 2},
	{"document or message shared", words(`shared a file|shared a document|shared with you|document|docusign|sharepoint|onedrive|dropbox|wetransfer|e-sign|signature required|voicemail|voice message|fax|scanned|secure message|
		review and sign|google drive|google docs|adobe sign|encrypted message|remittance|payment advice|dokument|documento|fichier|assinatura`), 2},
	{"prize or survey", words(`congratulations|you have been selected|you've been selected|winner|won |gift card|giftcard|reward|survey|claim your|prize|lucky|free gift|voucher|loyalty|points|pontos|resgat|prêmio|livelo|
		félicitations|gagn|cadeau|gewonnen|gewinn|gutschein|umfrage|ganador|premio|sondaggio|sorteo|当選|ポイント`), 2},
	{"credentials", words(`password|verify|verification|confirm your|log in|login|sign in|sign-in|signin|your account|suspend|locked|limited|restricted|unusual|unauthor|security alert|deactivat|expire|mailbox|quota|storage|
		update your|billing information|payment method|re-activate|reactivate|identity|mot de passe|votre compte|vérifi|suspendu|identifi|passwort|ihr konto|konto|bestätig|gesperrt|verifizier|contraseña|su cuenta|
		verific|bloque|senha|sua conta|acesso|bloquead|atualiz|cadastr|account è|il tuo account|rekening|wachtwoord|アカウント|パスワード|確認|ログイン|カード`), 2},
	{"money offered or asked", words(`inherit|next of kin|beneficiary|million|fund|compensation|donation|loan|atm card|consignment|barrister|late client|confidential|business proposal|western union|grant|tax refund|
		steuererstattung|remboursement|héritage|herança|herencia|credit score|debt|insurance quote`), 2},
	{"dating or gambling", words(`dating|singles|hookup|naked|sexy|lonely|horny|neuk|naakt|geheime verlangens|fantas|tinder|casino|betting|slots|free spins|freispiele|ohne einzahlung|tours gratuits|jackpot|rencontre|célibataires`), 2},
	{"wares, cures, tariffs", words(`weight|diabetes|blood sugar|keto|cbd|viagra|erectile|pain relief|doctor|remedy|supplement|solar|warranty|insurance|mortgage|discount|limited offer|smartwatch|drone|heater|mattress|knee|gelenk|schmerz|abnehm|
		afvallen|energieaanbod|energietarief|woning|zonnepanelen|rachat de crédits|mutuelle|isolation|pompe à chaleur|mailers|smtps|offre exclusive|rabat|angebot|aanbod`), 2},
	{"job", words(`job offer|vacancy|salary|part-time|part time|work from home|remote work|hiring|recruit|applicant|hr department|payroll|stellenangebot|emploi|vaga`), 3},
}

// maxText is how much of a text is read.
const maxText = 20 << 10

// fewLetters is how many letters a message has that is a picture, or a note to a file.
const fewLetters = 200

// kindOf sorts a message.
func kindOf(m *message.Message) string {
	v := m.View()
	subject := literal.AppendLower(nil, v.Subject[:min(len(v.Subject), 1000)])
	text := literal.AppendLower(nil, v.Text[:min(len(v.Text), maxText)])
	best, most := "", 0
	for _, k := range kinds {
		n := met(k.words, text) + 2*met(k.words, subject)
		if n >= k.least && n > most {
			best, most = k.name, n
		}
	}
	few := len(strings.TrimSpace(v.Text)) < fewLetters
	switch {
	case few && files(m) && best == "":
		return attached
	case few && pictures(v) && best == "":
		return picture
	case best == "":
		return otherKind
	}
	return best
}

// met counts the different words of a text.
func met(w *literal.Matcher, text []byte) int {
	seen := map[int]bool{}
	w.Scan(text, func(pattern, _, _ int) bool {
		seen[pattern] = true
		return true
	})
	return len(seen)
}

// files says whether a message brings one that isn't a picture.
func files(m *message.Message) bool {
	for _, a := range m.Attachments() {
		if !strings.HasPrefix(a.Type, "image/") {
			return true
		}
	}
	return false
}

func pictures(v *message.View) bool {
	for i := range v.Links {
		if v.Links[i].Source == links.FromImage {
			return true
		}
	}
	return false
}
