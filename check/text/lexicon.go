package text

import (
	"strings"

	"sluice/internal/literal"
)

// theme is one thing that a fraud has to say; it is met at most once however
// often it is said.
type theme uint8

const (
	// Advance fee.
	themeMoney theme = iota
	themeDeath
	themeBank
	themeClaim
	themeSecrecy
	themePersona
	themeDetails
	themeGreeting
	themeShare
	// Credentials.
	themeAccountThreat
	themeAccountAct
	// Extortion.
	themeRecorded
	themeContacts
	themeHacked
	themeDeadline
	themeCoin
	// Callback.
	themeInvoice
	themeCall
	themeCancel
	// Prize and parcel.
	themePrize
	themePrizeAct
	themeParcel
	themeParcelAct
	themeCount
)

var themeNames = [themeCount]string{
	"money", "a death", "a bank", "a claim", "secrecy", "a persona", "personal details", "a greeting", "a share",
	"a threat to an account", "a request to verify", "a recording", "contacts", "a break-in", "a deadline", "coin",
	"an invoice", "a call", "a cancellation", "a prize", "a hurry to take it", "a parcel", "a fee or a form",
}

// phrases are written as fold leaves text: lower case, no accents, single
// spaces. A phrase matches whole words. Languages: English, German, French,
// Spanish, Portuguese, Italian, Dutch, Polish, Swedish, Turkish, Russian,
// Japanese, Chinese.
var phrases = map[theme]string{
	themeMoney: `million dollars|million united states dollars|million us dollars|million usd|million euro|million euros|million pounds|million gbp|million british pounds
		million u.s dollars|million u.s. dollars|us dollars|u.s. dollars|united states dollars|hundred thousand dollars|hundred thousand united|thousand united states
		millionen euro|millionen dollar|millions de dollars|millions d'euros|millones de dolares|millones de euros|milhoes de dolares|milioni di dollari|milioni di euro`,
	themeDeath: `next of kin|late client|late husband|late father|my late|deceased|deceased client|widow|plane crash|esophageal cancer|oesophageal cancer|cancer of the|terminal illness
		late parents|late old client|your late|same surname|similar surname|surname identity|the deceased|breast cancer|died of cancer|dying widow|long term illness|critical illness
		untimely death|lost his life|without a will|no written will|auto crash|died in|no known relative|nachster angehoriger|naechster angehoeriger|verstorbenen|verstorbener|veuve|decede|defunt|fallecido|viuda|falecido|vedova|defunto`,
	themeBank: `security company|dormant account|foreign account|bank draft|atm card|atm visa card|atm master card|western union|moneygram|money gram|remittance|central bank|reserve bank
		bank of africa|wire transfer|fund transfer|transfer of the fund|transfer the fund|transfer of the money|transfer this money|transfer this fund|transfer the sum|consignment
		bank of benin|uba bank|united bank of|atm machine|nominated bank|nominated account|account officer|huge deposit|with my bank|in my bank|our bank|money transfer|payment department|deposited here
		trunk box|trunk boxes|cashier's check|certified bank|offshore account|bank account|your account for|account details|receiving account|fixed deposit|deposited the sum|deposited the fund
		uberweisung der|sicherheitsfirma|compte bancaire|virement de|cuenta bancaria|conta bancaria|conto bancario`,
	themeClaim: `beneficiary|beneficiaries|inheritance|inherit|unclaimed|your fund|your funds|the funds|the said fund|compensation fund|claims agent|claim agent|fiduciary agent|won the sum|lottery
		winning notification|lucky winner|lucky winners|winning number|winning numbers|ballot|donation|donate|charity work|charity organization|orphanages|payment file|overdue payment
		contract payment|contract fund|contract funds|over-invoiced|fund beneficiary|outstanding payment|been donated to you|donated to you|a donation of|am donating|donate this money|approved to receive
		compensation fund of|payment funds|approval payment|release of your|funds released|your long awaited|total sum of|the sum of|an sie gespendet|eine spende|spende von|nicht beanspruchten|erbschaft|begunstigter|gewinnbenachrichtigung|spende|beneficiaire|don de|loterie|herencia|beneficiario|loteria|donacion|heranca|eredita|beneficiario`,
	themeSecrecy: `strictly confidential|top confidential|highly confidential|utmost confidence|utmost secrecy|utmost confidentiality|keep this confidential|strict confidence|confidential business
		confidentiality|top secret|mutual benefit|mutually beneficial|business proposal|business proposition|business transaction|risk free|risk-free|hitch free|hitch-free|your urgent response
		can i trust you|trust worthy|beneficial to both of us|beneficial to both|contact me urgently|contact me for more|reply me|very urgent|for more details contact|for more info contact|into your privacy
		with due respect|still waiting for your|life changing|urgent reply|urgent response|your assistance|need your assistance|seek your assistance|god fearing|trustworthy|honest person|trusted person|your sincere|streng vertraulich
		strictement confidentiel|estrictamente confidencial|estritamente confidencial`,
	themePersona: `barrister|diplomat|diplomatic|attorney at law|solicitor to|united nations|international monetary fund|director of operations|director of operation|foreign operations|remittance department
		imf|federal reserve|account manager|secretary general|rechtsanwalt|lawyer by profession|mein name ist|sheikh|director general|branch manager|bank manager|auditor|army general|my name is mr|my name is mrs|my name is miss|my name is dr|my name is barr|i am mr|i am mrs|i am miss|i am dr|i am barr|i am engineer|i am engr
		this is mr|this is mrs|mr. president|former president|head of state|minister of|prince|princess|son of the late|daughter of the late|ich bin herr|ich bin frau|je suis madame|je suis mme|soy el senor|soy la senora`,
	themeDetails: `your full name|full names|your full names|your telephone number|your phone number|your private telephone|your direct telephone|telephone and fax|phone and fax|your home address|your contact address
		your occupation|your age|marital status|copy of your passport|means of identification|your international passport|identity card|vollstandiger name|nom complet|nombre completo|nome completo`,
	themeGreeting: `dear friend|my dear friend|dear beloved|beloved one|beloved in christ|dear beneficiary|dear winner|dear sir/madam|dear sir / madam|attention: beneficiary|attn: beneficiary|attention beneficiary
		attn: beneficiaries|my dear|dearest|dearest one|god bless|may god|calvary greetings|compliments of the season|greetings to you|greetings in the name|good day to you|i know this will come|this letter may come
		dear fund beneficiary|attn dear|attn: dear|attention dear|greetings dear|hello dear|my name is.|may come to you as a surprise|come to you as a surprise|i got your contact|got your email|contact through|lieber freund|cher ami|querido amigo|caro amigo`,
	themeShare: `% of the total|percent of the total|% of the sum|% of this money|% for you|% will be for|40% of|30% of the|25% of the|20% of the total|your share|for your share|share the money|sharing ratio|sharing percentage|percentage for you`,

	themeAccountThreat: `account will be suspended|account will be closed|account will be deactivated|account will be terminated|account will be disabled|account will be locked|account will be deleted
		account has been suspended|account has been limited|account has been locked|account has been restricted|account has been disabled|account has been blocked|account is suspended|account is on hold
		account was limited|account suspension|your account access|limited your account|suspend your account|unusual activity|unusual sign-in|unusual login|unusual sign in|unauthorized login|unauthorized access
		suspicious activity|suspicious login|password will expire|password expires|password expiration|password is about to expire|password has expired|mailbox is full|mailbox is almost full|mailbox quota
		mailbox has exceeded|exceeded its storage|exceeded your quota|storage limit|storage is full|storage is almost full|undelivered messages|pending messages|incoming messages are|messages are pending
		emails are pending|failed to deliver|deactivation of your|will be permanently|could not be delivered to your|payment was declined|payment has been declined|unable to process your payment
		subscription has expired|subscription expired|membership has expired|could not verify your|we detected|security alert|files will be deleted|photos will be deleted|data will be deleted
		cloud storage is full|storage has expired|antivirus has expired|antivirus protection has expired|protection has expired|your device is infected|viruses were found|wallet will be suspended
		wallet has been suspended|verify your wallet|account verification is required|account has been put on hold|unable to validate|payment method was declined|billing problem|problem with your billing
		konto wird gesperrt|konto wurde gesperrt|konto gesperrt|konto eingeschrankt|konto wurde eingeschrankt|ungewohnliche aktivitat|passwort lauft ab|postfach ist voll|speicherplatz
		compte sera suspendu|compte a ete suspendu|compte est suspendu|compte a ete limite|compte sera bloque|activite inhabituelle|mot de passe expire|boite de reception est pleine
		cuenta sera suspendida|cuenta ha sido suspendida|cuenta ha sido bloqueada|cuenta sera bloqueada|actividad inusual|actividad sospechosa|contrasena caducara|buzon esta lleno
		conta sera suspensa|conta foi suspensa|conta foi bloqueada|conta sera bloqueada|atividade suspeita|atividade incomum|sua senha expira
		account verra sospeso|conto sara sospeso|conto e stato sospeso|conto e stato bloccato|attivita sospetta|attivita insolita|account wordt geblokkeerd|account is geblokkeerd|rekening is geblokkeerd
		konto zostalo zablokowane|konto zostanie zablokowane|kontot har sparrats|hesabiniz askiya|hesabiniz kapat
		аккаунт заблокирован|аккаунт будет заблокирован|учетная запись будет|учётная запись будет|подозрительная активность|アカウントが停止|アカウントが制限|異常なログイン|不正なログイン|帳戶已被|账户已被|账号异常|異常登入`,
	themeAccountAct: `verify your account|verify your identity|verify your information|verify your email|verify your mailbox|verify your details|verify your billing|verify your payment|verify now|verify my account
		confirm your account|confirm your identity|confirm your information|confirm your details|confirm your email|confirm your password|confirm your mailbox|confirm now|validate your account|validate your email
		validate your mailbox|update your account|update your information|update your billing|update your payment|update your details|update payment|update now|restore your account|restore access|restore your access
		reactivate your account|re-activate your|reactivate now|unlock your account|unlock account|keep my password|keep same password|keep current password|keep the same password|keep using the same|retain your password
		release messages|release your messages|retrieve your messages|retrieve messages|recover messages|review your account|secure your account|upgrade your mailbox|upgrade storage|increase your quota|sign in to your account
		renew now|renew your subscription|renew my subscription|renew membership|upgrade now|free up space|manage storage|update payment method|update my payment|validate now|review activity
		log in to your account|login to your account|log on to your|click here to|click below to|click the link below|click on the link below|follow the link below|click the button below
		konto bestatigen|konto verifizieren|identitat bestatigen|daten bestatigen|daten aktualisieren|jetzt bestatigen|jetzt verifizieren|klicken sie hier|klicken sie auf
		verifier votre compte|verifiez votre compte|confirmer votre identite|confirmez votre|mettre a jour vos|mettez a jour|cliquez ici|cliquez sur
		verificar su cuenta|verifique su cuenta|confirmar su identidad|confirme su|actualizar sus datos|actualice sus|haga clic|verificar sua conta|confirme sua|confirmar seus dados|atualize seus dados|clique aqui|clique no
		verificare il tuo|verifica il tuo|verificare la tua|conferma la tua|confermare i|aggiorna i tuoi|clicca qui|clicca sul|verifieer uw|bevestig uw|klik hier|zweryfikuj|potwierdz swoje|kliknij tutaj|klicka har|bekrafta ditt
		buraya tiklayin|dogrulayin|подтвердите|перейдите по ссылке|нажмите здесь|ご確認ください|こちらをクリック|验证您的|點擊|点击`,

	themeRecorded: `webcam|web cam|your camera|recorded you|recording of you|video of you|recorded a video|masturbat|pleasuring yourself|satisfying yourself|adult site|adult sites|adult website|adult websites|porn site|porn sites|porn website|pornographic|intimate|split screen|kamera|webcams|pornoseite|camara|fotocamera|видео`,
	themeContacts: `your contacts|all your contacts|contact list|your friends|friends and family|relatives and|family and friends|your relatives|your colleagues|co-workers|coworkers|social networks|kontakte|vos contacts|tus contactos|tuoi contatti`,
	themeHacked:   `i hacked|hacked your|i have hacked|hacked you|trojan|malware on|my malware|my virus|installed a|keylogger|full access to your|access to your device|your operating system|your password is|is your password|remote access|rat software|i know your password|gehackt|pirate votre|hackeado|hackerato|взломал`,
	themeDeadline: `48 hours|24 hours|72 hours|50 hours|two days|one day|three days|timer|the countdown|48 stunden|48 heures|48 horas|48 ore`,
	themeCoin:     `bitcoin|bitcoins|btc|bit coin|btc address|bitcoin wallet|btc wallet|litecoin|ethereum|cryptocurrency|crypto wallet|usdt`,

	themePrize: `you have been selected|you've been selected|you have been chosen|you've been chosen|you are a winner|you have won|you've won|congratulations you|exclusive reward|exclusive rewards
		customer reward|loyalty reward|loyalty program reward|free gift|free sample|mystery box|your reward|your prize|chance to win|chance to receive|lucky customer|shopper survey|short survey|quick survey
		sie haben gewonnen|sie wurden ausgewahlt|ihr gewinn|gewinnspiel|vous avez gagne|vous avez ete selectionne|ha sido seleccionado|ha ganado|voce foi selecionado|voce ganhou|hai vinto|sei stato selezionato
		u bent geselecteerd|u heeft gewonnen|вы выиграли|ваш выигрыш|当選`,
	themePrizeAct: `claim now|claim your|claim it now|claim my|get it now|get started now|take the survey|take survey|complete the survey|answer a few|confirm your shipping|offer expires|expires today|expires soon|last chance
		final notice|only a few left|act now|before it's too late|while supplies last|jetzt sichern|jetzt teilnehmen|jetzt abholen|reclamez|participez|recoger ahora|reclame ahora|resgate agora|riscatta|claim nu|получить приз`,
	themeParcel: `your package|your parcel|your shipment|delivery attempt|delivery failed|could not be delivered|unable to deliver|pending delivery|delivery is pending|package is waiting|package is on hold|parcel is on hold
		shipment is on hold|ihr paket|ihre sendung|ihr packchen|sendung wartet|zustellung|votre colis|livraison|su paquete|su envio|paquete pendiente|seu pacote|sua encomenda|il tuo pacco|il suo pacco|spedizione in attesa
		uw pakket|twoja paczka|przesylka|ваша посылка|посылка ожидает|お荷物`,
	themeParcelAct: `shipping fee|delivery fee|customs fee|customs fees|customs duty|redelivery|reschedule your delivery|reschedule delivery|confirm your address|confirm the address|update your address|address is incorrect
		incorrect address|pay the fee|small fee|track your package now|schedule your delivery|confirm delivery|versandkosten|zollgebuhr|zollgebuhren|adresse bestatigen|lieferadresse bestatigen|frais de livraison
		frais de douane|confirmer votre adresse|gastos de envio|tasas de aduana|confirmar su direccion|taxa de entrega|taxa alfandegaria|confirmar endereco|spese di spedizione|spese doganali|confermare l'indirizzo
		verzendkosten|bezorgkosten|oplata|doplata|оплатить доставку|подтвердите адрес|再配達`,

	themeInvoice: `invoice|order number|order id|order no|order confirmation|invoice number|invoice no|subscription|auto renewal|auto-renewal|automatic renewal|renewed|has been renewed|charged|debited|purchase|transaction id|your order|payment method`,
	themeCall:    `call us|call our|toll free|toll-free|helpline|help line|help desk|helpdesk|customer care|customer support|customer service|support number|contact us at|contact our|reach us at|give us a call|please call|call immediately|feel free to call`,
	themeCancel:  `cancel|cancel this|to cancel|cancellation|refund|dispute|did not authorize|not authorized by you|didn't authorize|did not make this|not made by you|if you did not|if you didn't|unauthorized`,
}

// lexicon finds all phrases in one pass.
type lexicon struct {
	match  *literal.Matcher
	themes []theme
	texts  []string
}

func newLexicon() *lexicon {
	l := &lexicon{}
	for t := range themeCount {
		for line := range strings.SplitSeq(phrases[t], "\n") {
			for p := range strings.SplitSeq(line, "|") {
				if p = strings.TrimSpace(p); p != "" {
					l.themes = append(l.themes, t)
					l.texts = append(l.texts, p)
				}
			}
		}
	}
	l.match = literal.New(l.texts)
	return l
}

// found says which themes a text has, and the first phrase of each.
type found struct {
	has   [themeCount]bool
	first [themeCount]string
	kinds [themeCount]int // different phrases, roughly: repeats of the last one don't count
}

func (l *lexicon) search(folded []byte) *found {
	f := &found{}
	var last [themeCount]int
	l.match.Scan(folded, func(p, start, end int) bool {
		if !boundary(folded, start, end) {
			return true
		}
		t := l.themes[p]
		if !f.has[t] {
			f.has[t], f.first[t] = true, l.texts[p]
		}
		if last[t] != p+1 {
			last[t] = p + 1
			f.kinds[t]++
		}
		return true
	})
	return f
}

// boundary says whether no letter or digit of the same word goes on at either
// end. Scripts without spaces have no such borders.
func boundary(b []byte, start, end int) bool {
	return !(start > 0 && alnum(b[start-1]) && alnum(b[start])) &&
		!(end < len(b) && alnum(b[end]) && alnum(b[end-1]))
}

// count says how many of the themes are there and names them.
func (f *found) count(ts ...theme) (int, string) {
	var names []string
	for _, t := range ts {
		if f.has[t] {
			names = append(names, themeNames[t]+" ("+f.first[t]+")")
		}
	}
	return len(names), strings.Join(names, ", ")
}
