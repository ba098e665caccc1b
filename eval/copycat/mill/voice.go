package mill

import (
	"math/rand/v2"
	"strings"
)

// voice is how brands write of themselves: what every company fills with its own words.
type voice struct {
	who, does, what, where, end []string
}

func words(s string) []string { return strings.Split(s, ",") }

var voices = map[string]voice{
	"en": {
		words("Our people,The workshop,Our founder,The night shift,A small team,Our oldest shop,The support desk,Our buyers,The engineers,Every branch,Our drivers,The kitchen,The board,Our florist,The archive,A new colleague"),
		words("spent the winter on,has rebuilt,keeps an eye on,is proud of,was asked about,finally finished,takes care of,still remembers,quietly improved,has opened,looks forward to,wrote a guide to,is moving,checks twice,learned a lot from,put aside"),
		words("the old warehouse,our returns desk,a map of every route,the colour of the labels,thirty letters from readers,the new counter,longer opening hours,a kinder way to wait,the smallest size,the loyalty programme,the app,our packaging,the voice menu,a shelf of samples,the waiting list,our prices"),
		words("near the station,by the river,above the bakery,in the old mill,on the third floor,behind the market,at the edge of town,across the bridge,close to the harbour,next to the school,under the arches,in two more cities"),
		words("and it shows,because you asked,so that nobody has to wait,which took a while,long before the season,with help from neighbours,as we promised in spring,and we kept the receipts,for the second time,without raising prices,to the surprise of everybody,and more will follow"),
	},
	"de": {
		words("Unsere Leute,Die Werkstatt,Unser Gründer,Die Nachtschicht,Ein kleines Team,Unsere älteste Filiale,Der Kundendienst,Unsere Einkäufer,Die Technik,Jede Filiale,Unsere Fahrer,Die Küche"),
		words("arbeitet seit dem Winter an,kümmert sich um,freut sich über,sprach lange über,schrieb einen Ratgeber zu,lernte viel von,denkt noch an,berichtet von,wartet auf,hofft auf"),
		words("dem alten Lager,einer Karte aller Wege,dreißig Briefen,der neuen Theke,längeren Öffnungszeiten,der kleinsten Größe,unserer App,der Verpackung,einem Regal voller Muster,der Warteliste,den Preisen"),
		words("am Bahnhof,am Fluss,über der Bäckerei,in der alten Mühle,im dritten Stock,hinter dem Markt,am Stadtrand,jenseits der Brücke,nahe am Hafen,neben der Schule"),
		words("und das sieht man,weil Sie gefragt haben,damit niemand warten muss,was eine Weile dauerte,lange vor der Saison,mit Hilfe der Nachbarn,wie im Frühling versprochen,schon zum zweiten Mal,ohne höhere Preise"),
	},
	"fr": {
		words("Notre équipe,L'atelier,Notre fondatrice,L'équipe de nuit,Notre plus vieille boutique,Le service client,Nos acheteurs,Chaque agence,Nos livreurs,La cuisine"),
		words("travaille depuis l'hiver à,s'occupe de,est fier de,a longtemps parlé de,a écrit un guide sur,se souvient de,attend,vient de terminer"),
		words("l'ancien entrepôt,la carte des trajets,trente lettres,le nouveau comptoir,la plus petite taille,notre application,nos emballages,la liste d'attente,nos prix"),
		words("près de la gare,au bord du fleuve,au-dessus de la boulangerie,dans le vieux moulin,au troisième étage,derrière le marché,de l'autre côté du pont"),
		words("et cela se voit,parce que vous l'avez demandé,pour que personne n'attende,ce qui a pris du temps,bien avant la saison,comme promis au printemps,sans augmenter les prix"),
	},
	"es": {
		words("Nuestro equipo,El taller,Nuestra fundadora,El turno de noche,La tienda más antigua,Atención al cliente,Los compradores,Cada sucursal,Los repartidores,La cocina"),
		words("trabaja desde el invierno en,se ocupa de,habló mucho de,escribió una guía sobre,se acuerda de,espera,acaba de terminar,aprendió de"),
		words("el viejo almacén,el mapa de rutas,treinta cartas,el mostrador nuevo,la talla más pequeña,nuestra aplicación,los envases,la lista de espera,los precios"),
		words("cerca de la estación,junto al río,encima de la panadería,en el viejo molino,en el tercer piso,detrás del mercado,al otro lado del puente"),
		words("y se nota,porque lo pedisteis,para que nadie espere,lo que llevó tiempo,mucho antes de la temporada,como prometimos en primavera,sin subir precios"),
	},
	"it": {
		words("Il nostro gruppo,L'officina,La fondatrice,Il turno di notte,Il negozio più vecchio,L'assistenza,I corrieri,La cucina"),
		words("lavora dall'inverno su,si occupa di,ha parlato a lungo di,ha scritto una guida su,ricorda ancora,aspetta,ha appena finito"),
		words("il vecchio magazzino,la mappa dei percorsi,trenta lettere,il nuovo banco,la taglia più piccola,la nostra app,gli imballaggi,la lista d'attesa"),
		words("vicino alla stazione,lungo il fiume,sopra il panificio,nel vecchio mulino,al terzo piano,dietro il mercato"),
		words("e si vede,perché lo avete chiesto,così nessuno aspetta,come promesso in primavera,senza alzare i prezzi,per la seconda volta"),
	},
	"nl": {
		words("Ons team,De werkplaats,Onze oprichter,De nachtploeg,Onze oudste winkel,De klantenservice,De bezorgers,De keuken"),
		words("werkt sinds de winter aan,zorgt voor,sprak lang over,schreef een gids over,denkt nog aan,wacht op,is trots op"),
		words("het oude magazijn,de kaart van alle routes,dertig brieven,de nieuwe balie,de kleinste maat,onze app,de verpakking,de wachtlijst"),
		words("bij het station,aan de rivier,boven de bakkerij,in de oude molen,op de derde verdieping,achter de markt"),
		words("en dat is te zien,omdat u het vroeg,zodat niemand hoeft te wachten,zoals in de lente beloofd,zonder hogere prijzen,voor de tweede keer"),
	},
}

// own is a sentence that a brand writes for itself.
func (v *voice) own(r *rand.Rand, name string) string {
	s := pick(r, v.who) + " " + pick(r, v.does) + " " + pick(r, v.what) + " " + pick(r, v.where) + ", " + pick(r, v.end)
	if r.IntN(3) == 0 {
		s += " (" + name + ")"
	}
	return s + "."
}
