"""Short everyday sentences in thirteen languages and eight writing systems.

Each language is a table of rules. The rule "S" lists its sentence shapes, parted by "|". In a
shape, "{x}" stands for a random choice from the rule x, "{2-9}" for a number in that range, and
"[a/b]" for one of two forms: one side is drawn for the whole sentence (singular or plural,
masculine or feminine), so that subject, verb and adjective agree.
"""

from __future__ import annotations

import random
import re

SLOT = re.compile(r"\{([^{}]*)\}")
FORMS = re.compile(r"\[([^/\[\]]*)/([^/\[\]]*)\]")
LETTER = re.compile(r"[^\W\d_]")
Rules = dict[str, str]

FRENCH: Rules = {
    "S": "{s} [achète/achètent] {o} {p} {t}.|{t}, {s} [mange/mangent] {o} {p}.|"
    "{s} ne [boit/boivent] pas de {d} {t}.|Bonjour, comment allez-vous ?|"
    "{t}, il {w} {h}.|Est-ce que {s} [aime/aiment] {o} ?|Combien coûtent ces {2-40} {n} ?|"
    "[le {m}/la {f}] est très [{am}/{af}], mais [il/elle] est loin d'ici.|"
    "Nous prenons le {v} pour {city} à {2-11} heures.|{t}, je vais à {city} en {v}.|"
    "J'ai {2-6} {k} et une petite maison {h}.|Merci beaucoup, c'est très gentil !|"
    "Pardon, où est [le {m}/la {f}], s'il vous plaît ?|Tu veux {o} ou {o} ?",
    "s": "[ma mère/mes parents]|[mon frère/mes frères]|[la voisine/les voisins]|"
    "[le boulanger/les enfants]|[notre professeur/nos amis]",
    "o": "du pain|une pomme|de la soupe|du fromage|des tomates|un gâteau|trois poires",
    "d": "café|vin|lait|thé",
    "n": "pommes|œufs|fleurs|citrons|oranges",
    "w": "pleut|neige|fait froid|fait très chaud",
    "p": "au marché|dans la cuisine|près de la gare|au bord de la mer|dans le jardin|à Paris",
    "t": "ce matin|le soir|le dimanche|aujourd'hui|après l'école|en hiver",
    "m": "jardin|train|restaurant|musée|pont",
    "f": "maison|rue|gare|chambre|plage",
    "am": "petit|vieux|grand|beau|cher",
    "af": "petite|vieille|grande|belle|chère",
    "v": "train|bus|bateau|car",
    "city": "Lyon|Nice|Lille|Marseille|Nantes",
    "k": "frères|sœurs|cousins|chats|chiens",
    "h": "au bord de la mer|près de la gare|à Paris|au village",
}

SPANISH: Rules = {
    "S": "{s} [compra/compran] {o} {p} {t}.|{t}, {s} [come/comen] {o} {p}.|"
    "¿Dónde está [el {m}/la {f}], por favor?|¡Buenos días! ¿Cómo está usted?|"
    "{t} {w} mucho {h}.|¿[Quiere/Quieren] {o} {s}?|¿Cuánto cuestan {2-40} {n}?|"
    "[el {m}/la {f}] es muy [{a}o/{a}a] y está cerca de la estación.|"
    "El {v} para {city} sale a las {2-11}.|{t} viajamos a {city} en {v}.|"
    "Tengo {2-6} {k} y una casa pequeña {h}.|Muchas gracias, hasta mañana.|"
    "{s} no [bebe/beben] {d} {t}.|Me gusta mucho leer {p}.",
    "s": "[mi madre/mis padres]|[mi hermano/mis hermanas]|[la vecina/los vecinos]|"
    "[el profesor/los niños]|[nuestra abuela/nuestros amigos]",
    "o": "pan|una manzana|sopa caliente|queso|dos naranjas|arroz con pollo|pescado",
    "d": "café|vino|leche|té",
    "n": "manzanas|huevos|flores|limones|peras",
    "w": "llueve|nieva|hace frío y llueve",
    "v": "tren|autobús|barco|avión",
    "p": "en el mercado|en la cocina|cerca del río|en la playa|en el jardín|en casa",
    "t": "hoy|por la mañana|los domingos|esta noche|después de la escuela|en invierno",
    "m": "museo|hotel|parque|puente",
    "f": "casa|plaza|tienda|iglesia",
    "a": "bonit|pequeñ|antigu|alt|car",
    "city": "Madrid|Sevilla|Lima|Bogotá|Valencia",
    "k": "hermanos|hijas|primos|gatos|perros",
    "h": "cerca del río|en la playa|en la montaña|en el pueblo",
}

GERMAN: Rules = {
    "S": "{s} [kauft/kaufen] {t} {o} {p}.|{t} [isst/essen] {s} {o} {p}.|"
    "{t} [arbeitet/arbeiten] {s} {p}.|Guten Tag, wie geht es Ihnen?|{t} {w} es {h}.|"
    "[Möchte/Möchten] {s} {o}?|Was kosten {2-40} {n}?|Ich habe {2-6} {k} und einen Garten.|"
    "[der {m}/die {f}] ist sehr {a}, aber [er/sie] gefällt mir.|Vielen Dank und bis morgen!|"
    "Der {v} nach {city} fährt um {2-11} Uhr ab.|{t} fahren wir mit dem {v} nach {city}.|"
    "Entschuldigung, wo ist [der {m}/die {f}]?|{s} [trinkt/trinken] {t} keinen {d}.",
    "s": "[meine Mutter/meine Eltern]|[mein Bruder/meine Brüder]|[die Nachbarin/die Nachbarn]|"
    "[der Lehrer/die Kinder]|[unsere Tante/unsere Freunde]|[das Mädchen/die Leute]",
    "o": "Brot|einen Apfel|heiße Suppe|frischen Käse|ein Stück Kuchen|Fisch mit Reis",
    "d": "Kaffee|Wein|Tee|Saft",
    "n": "Äpfel|Eier|Blumen|Birnen",
    "w": "regnet|schneit|donnert",
    "p": "auf dem Markt|in der Küche|am Bahnhof|im Garten|in der Stadt|zu Hause",
    "t": "heute|am Morgen|am Sonntag|heute Abend|nach der Schule|im Winter",
    "m": "Park|Turm|Laden|Bahnhof",
    "f": "Brücke|Kirche|Straße|Schule",
    "a": "schön|alt|klein|groß|teuer",
    "v": "Zug|Bus",
    "k": "Schwestern|Söhne|Katzen|Hunde",
    "city": "Berlin|Köln|Wien|Hamburg|Bremen",
    "h": "in der Stadt|am See|im Dorf|in den Bergen",
}

ITALIAN: Rules = {
    "S": "{s} [compra/comprano] {o} {p} {t}.|{t} {s} [mangia/mangiano] {o} {p}.|"
    "Buongiorno, come sta?|{t} {w} {h}.|Scusi, dov'è [il {m}/la {f}]?|"
    "[il {m}/la {f}] è molto [{a}o/{a}a] e non lontano da qui.|Quanto costano {2-40} {n}?|"
    "Il {v} per {city} parte alle {2-11}.|{t} andiamo a {city} con il {v}.|"
    "Ho {2-6} {k} e una piccola casa {h}.|Grazie mille, a domani!|"
    "{s} non [beve/bevono] {d} {t}.|[Vuole/Vogliono] {o} o {o}?",
    "s": "[mia madre/i miei genitori]|[mio fratello/i miei fratelli]|[la vicina/i vicini]|"
    "[la maestra/i bambini]|[nostra nonna/i nostri amici]",
    "o": "il pane|una mela|la zuppa|un po' di formaggio|tre arance|il pesce fresco",
    "d": "caffè|vino|latte|tè",
    "n": "mele|uova|rose|pere",
    "w": "piove|nevica|fa freddo",
    "p": "al mercato|in cucina|vicino al fiume|in giardino|in città|al mare",
    "t": "oggi|la mattina|la domenica|stasera|dopo la scuola|in inverno",
    "m": "museo|ponte|parco|teatro",
    "f": "casa|piazza|chiesa|strada",
    "a": "bell|piccol|antic|car|famos",
    "v": "treno|pullman",
    "city": "Roma|Milano|Torino|Napoli|Pisa",
    "k": "fratelli|sorelle|cugini|gatti|cani",
    "h": "vicino al fiume|in città|al mare|in montagna",
}

PORTUGUESE: Rules = {
    "S": "{s} [compra/compram] {o} {p} {t}.|{t}, {s} [come/comem] {o} {p}.|"
    "Bom dia, como vai o senhor?|{t} {w} muito {h}.|Onde fica [o {m}/a {f}], por favor?|"
    "[o {m}/a {f}] é muito [{a}o/{a}a], mas não é longe.|Quanto custam {3-40} {n}?|"
    "O {v} para {city} sai às {2-11} horas.|{t} nós vamos a {city} de {v}.|"
    "Eu tenho {2-6} {k} e uma casa pequena {h}.|Muito obrigado, até amanhã!|"
    "{s} não [bebe/bebem] {d} {t}.|[Você quer/Vocês querem] {o} ou {o}?",
    "s": "[minha mãe/meus pais]|[meu irmão/minhas irmãs]|[a vizinha/os vizinhos]|"
    "[o professor/as crianças]|[nossa avó/nossos amigos]",
    "o": "pão|uma maçã|sopa quente|queijo|duas laranjas|peixe com arroz|feijão",
    "d": "café|vinho|leite|chá",
    "n": "maçãs|ovos|flores|limões",
    "w": "chove|venta|neva",
    "p": "no mercado|na cozinha|perto do rio|no jardim|na praia|em casa",
    "t": "hoje|de manhã|aos domingos|esta noite|depois da escola|no inverno",
    "m": "museu|hotel|parque|teatro",
    "f": "casa|praça|loja|igreja",
    "a": "bonit|pequen|antig|car|nov",
    "v": "trem|ônibus|barco",
    "city": "Lisboa|Recife|Coimbra|Santos",
    "k": "irmãos|filhas|primos|gatos",
    "h": "perto do rio|na praia|na cidade|na serra",
}

DUTCH: Rules = {
    "S": "{s} [koopt/kopen] {t} {o} {p}.|{t} [eet/eten] {s} {o} {p}.|"
    "Goedemorgen, hoe gaat het met u?|{t} {w} het {h}.|Waar is de {n}, alstublieft?|"
    "De {n} is erg {a}, maar niet ver van hier.|Wat kosten {2-40} {c}?|"
    "De {v} naar {city} vertrekt om {2-11} uur.|{t} gaan we met de {v} naar {city}.|"
    "Ik heb {2-6} {k} en een klein huis {h}.|Dank u wel en tot morgen!|"
    "{s} [drinkt/drinken] {t} geen {d}.|[Wil/Willen] {s} ook {o}?",
    "s": "[mijn moeder/mijn ouders]|[mijn broer/mijn zussen]|[de buurvrouw/de buren]|"
    "[de leraar/de kinderen]|[onze oma/onze vrienden]",
    "o": "brood|een appel|warme soep|verse kaas|een stuk taart|vis met rijst",
    "d": "koffie|wijn|melk|thee",
    "c": "appels|eieren|bloemen|peren",
    "w": "regent|sneeuwt|waait",
    "p": "op de markt|in de keuken|bij het station|in de tuin|aan zee|in de stad",
    "t": "vandaag|elke ochtend|op zondag|vanavond|na school|in de winter",
    "n": "kerk|brug|winkel|school|straat",
    "a": "mooi|oud|klein|groot|duur",
    "v": "trein|bus|boot",
    "city": "Utrecht|Leiden|Delft|Gent",
    "k": "broers|zussen|katten|honden",
    "h": "aan zee|in de stad|in het dorp|bij het bos",
}

RUSSIAN: Rules = {
    "S": "{s} [покупает/покупают] {o} {p} {t}.|{t} {s} [ест/едят] {o} {p}.|"
    "Здравствуйте, как у вас дела?|{t} {h} {w}.|Скажите, пожалуйста, где [{m}/{f}]?|"
    "[{m}/{f}] очень [{a}ый/{a}ая], и мне здесь нравится.|Сколько стоят эти {n}?|"
    "Поезд в {city} отходит в {5-11} часов.|{t} мы едем в {city} на {v}.|"
    "У меня {5-9} {k} и маленький дом {h}.|Большое спасибо, до завтра!|"
    "{s} не [пьёт/пьют] {d} {t}.|[Ты хочешь/Вы хотите] {o} или {o}?",
    "s": "[моя мама/мои родители]|[мой брат/мои сёстры]|[наша соседка/наши соседи]|"
    "[учитель/дети]|[бабушка/друзья]|[он/они]",
    "o": "хлеб|рыбу|горячий суп|яблоки|сыр|кашу|мясо и рис",
    "d": "кофе|чай|молоко|вино",
    "n": "яблоки|цветы|книги|груши",
    "w": "идёт дождь|идёт снег|очень холодно|светит солнце",
    "p": "на рынке|на кухне|у реки|в саду|в городе|дома|на вокзале",
    "t": "сегодня|утром|в воскресенье|вечером|после школы|зимой",
    "m": "дом|парк|музей|мост",
    "f": "школа|улица|церковь|площадь",
    "a": "стар|красив|нов|известн|удобн",
    "v": "поезде|автобусе|машине",
    "city": "Москву|Казань|Тверь|Пермь",
    "k": "братьев|сестёр|кошек|собак",
    "h": "у реки|в городе|в деревне|у моря",
}

GREEK: Rules = {
    "S": "{s} [αγοράζει/αγοράζουν] {o} {p} {t}.|{t} {s} [τρώει/τρώνε] {o} {p}.|"
    "Καλημέρα, τι κάνετε;|{t} {w} {h}.|Συγγνώμη, πού είναι [ο {m}/η {f}];|"
    "[ο {m}/η {f}] είναι πολύ [{a}ός/{a}ή].|Πόσο κάνουν τα {n};|"
    "Το {v} για την {city} φεύγει στις {5-11}.|{t} πάμε στην {city} με το {v}.|"
    "Έχω {5-9} {k} και ένα μικρό σπίτι {h}.|Ευχαριστώ πολύ, τα λέμε αύριο!|"
    "{s} δεν [πίνει/πίνουν] {d} {t}.|[Θέλεις/Θέλετε] {o} ή {o};",
    "s": "[η μητέρα μου/οι γονείς μου]|[ο αδελφός μου/οι αδελφές μου]|[ο γείτονας/οι γείτονες]|"
    "[ο δάσκαλος/τα παιδιά]|[η γιαγιά/οι φίλοι μας]",
    "o": "ψωμί|ένα μήλο|ζεστή σούπα|τυρί|ψάρι με ρύζι|ντομάτες",
    "d": "καφέ|κρασί|γάλα|τσάι",
    "n": "μήλα|αυγά|λουλούδια|αχλάδια",
    "w": "βρέχει|χιονίζει|κάνει κρύο|κάνει ζέστη",
    "p": "στην αγορά|στην κουζίνα|στον κήπο|στη θάλασσα|στην πόλη|στο σπίτι",
    "t": "σήμερα|το πρωί|την Κυριακή|το βράδυ|μετά το σχολείο|τον χειμώνα",
    "m": "κήπος|δρόμος|σταθμός|πύργος",
    "f": "αγορά|γέφυρα|εκκλησία|πλατεία",
    "a": "μικρ|γνωστ|καλ|σημαντικ",
    "v": "τρένο|λεωφορείο|πλοίο|αεροπλάνο",
    "city": "Αθήνα|Πάτρα|Καβάλα|Βέροια",
    "k": "αδέλφια|ξαδέλφια|σκυλιά|βιβλία",
    "h": "στο χωριό|στην πόλη|κοντά στη θάλασσα|στο νησί",
}

CHINESE: Rules = {
    "S": "{s}{t}{p}{v}{o}。|{t}{s}不{v}{o}。|你好，你{t}忙吗？|{t}{city}{w}。|请问，{n}在哪儿？|"
    "这个{n}很{a}，我很喜欢。|这些{c}多少钱？一共{3-90}块钱。|{t}我们坐{r}去{city}。|"
    "我家有{3-9}口人，还有一只{k}。|谢谢你，明天见！|你想{v}{o}还是{v}{o}？|{s}{p}等{s2}。",
    "s": "我妈妈|他弟弟|老师|孩子们|我们的朋友|邻居|奶奶|她",
    "s2": "我们|爸爸|同学|客人",
    "v": "买|吃|卖|找|带",
    "o": "苹果|面包|热汤|米饭|鱼|鸡蛋|饺子",
    "p": "在市场|在厨房|在火车站|在家里|在河边|在学校",
    "t": "今天|早上|星期天|晚上|下午|冬天",
    "w": "下雨|下雪|很冷|天气很好|刮大风",
    "n": "公园|车站|饭店|学校|房子",
    "a": "大|小|漂亮|旧|安静",
    "c": "花|书|鸡蛋|梨",
    "r": "火车|公共汽车|飞机|船",
    "city": "北京|上海|广州|西安",
    "k": "猫|狗|鸟",
}

JAPANESE: Rules = {
    "S": "{s}は{t}{p}で{o}を{v}。|{t}、{p}で{s}が{o}を{v}。|こんにちは、お元気ですか。|"
    "{t}は{city}で{w}。|すみません、{n}はどこですか。|この{n}はとても{a}です。|"
    "この{c}はいくらですか。{2-9}00円です。|{t}、{r}で{city}へ行きます。|"
    "家に{k}が{2-6}匹います。|ありがとうございます。また明日。|{o}と{o}とどちらが好きですか。",
    "s": "母|弟|先生|子どもたち|友だち|おばあさん|私|となりの人",
    "o": "りんご|パン|スープ|魚|ご飯|お茶|卵",
    "p": "市場|台所|駅|庭|学校|町",
    "v": "買います|もらいます|見ます|売っています|買いません",
    "t": "今日|朝|日曜日|夕方|冬",
    "w": "雨が降ります|雪が降ります|風が強いです",
    "n": "公園|駅|お店|学校|部屋",
    "a": "きれい|大きい|小さい|静か|古い",
    "c": "花|本|かばん|魚",
    "r": "電車|バス|船|飛行機",
    "city": "東京|京都|大阪|奈良",
    "k": "ねこ|犬|魚",
}

KOREAN: Rules = {
    "S": "{s} {t} {p}에서 {o} {v}.|{t} {p}에서 {s} {o} {v}.|"
    "안녕하세요, 잘 지내세요?|{t} {city}에 {w}.|실례합니다, {n} 어디에 있어요?|"
    "이 {n} 정말 {a}.|이 {c} 얼마예요? {2-9}천 원이에요.|"
    "{t} 우리는 {r} 타고 {city}에 가요.|집에 {k} {2-6}마리 있어요.|"
    "감사합니다. 내일 또 만나요!|{o} {v2}?",
    "s": "어머니가|동생이|선생님이|아이들이|친구가|할머니가",
    "o": "사과를|빵을|국을|생선을|밥을|차를|과일을",
    "v": "사요|팔아요|찾아요|샀어요|안 사요",
    "v2": "좋아해요|사고 싶어요|자주 사요",
    "p": "시장|부엌|역|학교|가게",
    "t": "오늘|아침에|일요일에|저녁에|겨울에",
    "w": "비가 와요|눈이 와요|바람이 불어요",
    "n": "공원이|역이|식당이|학교가|집이",
    "a": "커요|작아요|예뻐요|조용해요",
    "c": "꽃은|책은|가방은",
    "r": "기차를|버스를|배를",
    "city": "서울|부산|대구|제주",
    "k": "고양이가|개가|새가",
}

ARABIC: Rules = {
    "S": "[يشتري/تشتري] {s} {o} {p} {t}.|{t} [يأكل/تأكل] {s} {o} {p}.|"
    "السلام عليكم، كيف حالك؟|{t} {w} {h}.|من فضلك، أين [{m}/{f}]؟|[{m}/{f}] [{a}/{a}ة] جدا.|"
    "بكم هذا يا سيدي؟|نسافر إلى {city} {v} {t}.|عندي {k} وبيت صغير {h}.|شكرا جزيلا، إلى اللقاء!|"
    "لا [يشرب/تشرب] {s} {d} {t}.|هل [تريد/تريدين] {o} أم {o}؟|[يسكن/تسكن] {s} في {city}.",
    "s": "[أبي/أمي]|[أخي/أختي]|[الجار/الجارة]|[المعلم/المعلمة]|[جدي/جدتي]|[الولد/البنت]",
    "o": "الخبز|تفاحة|السمك|الجبن|الأرز|البرتقال",
    "d": "القهوة|الشاي|الحليب|العصير",
    "p": "في السوق|في المطبخ|في الحديقة|في البيت|قرب البحر|في المدينة",
    "t": "اليوم|في الصباح|يوم الجمعة|في المساء|بعد المدرسة|في الشتاء",
    "w": "ينزل المطر|الجو بارد|الجو جميل|الجو حار",
    "m": "البيت|المطعم|الشارع|المتحف",
    "f": "المدرسة|الغرفة|المحطة|الحديقة",
    "a": "جميل|كبير|صغير|قديم|بعيد",
    "v": "بالقطار|بالسيارة|بالطائرة",
    "city": "القاهرة|دمشق|تونس|بغداد",
    "k": "أخ وأخت|قطة صغيرة|ثلاثة أولاد|كتب كثيرة",
    "h": "قرب البحر|في المدينة|في القرية|قرب النهر",
}

HINDI: Rules = {
    "S": "{s} {t} {p} {o} [खरीदता/खरीदती] है।|{t} {s} {p} {o} [खाता/खाती] है।|"
    "नमस्ते, आप कैसे हैं?|{t} {h} {w}।|माफ़ कीजिए, {n} कहाँ है?|[{m}/{f}] बहुत {a} है और "
    "[{m2}/{f2}] [छोटा/छोटी] है।|"
    "{n} यहाँ से {2-9} किलोमीटर दूर है।|{t} हम {v} से {city} जाते हैं।|धन्यवाद, कल मिलेंगे!|"
    "मेरे घर में {3-9} लोग हैं।|{s} {t} {d} नहीं [पीता/पीती]।|क्या आपको {o} पसंद है?",
    "s": "[मेरा भाई/मेरी बहन]|[वह लड़का/वह लड़की]|[मेरा दोस्त/मेरी माँ]|[पड़ोसी का बेटा/पड़ोसी की बेटी]",
    "o": "रोटी|सेब|चावल|मछली|मिठाई|आम",
    "d": "चाय|दूध|पानी|कॉफ़ी",
    "p": "बाज़ार में|घर में|बगीचे में|स्टेशन पर|शहर में|नदी के पास",
    "t": "आज|सुबह|रविवार को|शाम को|सर्दी में",
    "w": "बारिश होती है|बहुत ठंड है|धूप अच्छी है",
    "n": "स्टेशन|बाज़ार|स्कूल|मंदिर",
    "m": "घर|पुल|मकान|बाज़ार",
    "f": "गली|दुकान|नदी|किताब",
    "m2": "कमरा|गाँव|बगीचा",
    "f2": "सड़क|खिड़की|मेज़",
    "a": "सुंदर|साफ़|दूर|मशहूर",
    "v": "रेल|बस|कार|नाव",
    "city": "दिल्ली|आगरा|मुंबई|जयपुर",
    "h": "शहर में|नदी के पास|गाँव में|पहाड़ पर",
}

WESTERN = (FRENCH, SPANISH, GERMAN, ITALIAN, PORTUGUESE, DUTCH)
SCRIPTS = (RUSSIAN, GREEK, ARABIC, HINDI, KOREAN)
UNSPACED = (CHINESE, JAPANESE)
ALL = WESTERN + SCRIPTS + UNSPACED


def _expand(rng: random.Random, rules: Rules, text: str) -> str:
    """Fill every slot of a shape, the innermost first, no pick twice if it can be helped."""
    used: list[str] = []

    def one(match: re.Match[str]) -> str:
        name: str = match[1]
        if name[0].isdigit():
            low, high = name.split("-")
            return str(rng.randint(int(low), int(high)))
        sides = rules[name].split("|")
        pick = rng.choice([side for side in sides if side not in used] or sides)
        used.append(pick)
        return pick

    while SLOT.search(text):
        text = SLOT.sub(one, text)
    return text


def _sentence(rng: random.Random, rules: Rules, shape: str) -> str:
    """One sentence, with its two-sided forms settled and its first letter a capital."""
    text = _expand(rng, rules, shape)
    side = rng.randint(1, 2)
    text = FORMS.sub(lambda match: match[side], text)
    return LETTER.sub(lambda match: match[0].upper(), text, count=1)


def languages(rng: random.Random) -> str:
    """One to three sentences of one language."""
    rules = rng.choice(ALL)
    shapes = rules["S"].split("|")
    unspaced = rules in UNSPACED
    wanted = rng.randint(1, 3)
    least = 16 if unspaced else 60
    joint = "" if unspaced else " "
    text = ""
    for done, shape in enumerate(rng.sample(shapes, 3)):
        if done >= wanted and len(text) >= least:
            break
        text += (joint if text else "") + _sentence(rng, rules, shape)
    return text
