"""What the invented sales assume of people and of resellers. Beside each number its source, or the word "assumed".

A sale draws its own make-up from these ranges, so that a model learns what lasts and not one sale.
"""

# --- the sale ---
ORDERS = (300, 1500)  # assumed: 500 pairs, one to three claims for each
HOSTILE_SHARE = (0.2, 0.6)  # assumed; of Nike's launches up to half of the entries were bots (Nike, 2022)
FIRST_RUSH = 0.6  # share of claims in the first tenth of the sale; assumed
SALE_MINUTES = (5, 90)  # assumed
# Whole sales whose file lacks a key: other shops collect less. Assumed.
LACKS = {"client": 0.25, "device": 0.25, "ticket_ms": 0.5, "card": 0.35, "page_to_submit_ms": 0.15, "headers": 0.1}
FEW_HEADERS = 0.25  # sales whose shop is told little: a proxy in between or an old client passes few headers; assumed
MISSING = 0.02  # of any optional key in a single order; assumed

# --- people ---
# Shares, of a whole building as of one person; assumed. Carriers and buildings are as many as they may be at the worst:
# with half of them a model was too sure of those who share an address with others.
GENUINE_GROUPS = {
    "new": 0.19, "returning": 0.10, "household": 0.09, "office": 0.03, "building": 0.06, "vpn": 0.09,
    "non-latin": 0.13, "carrier": 0.24, "program": 0.07,
}  # fmt: skip
HOUSEHOLD = (2, 4)  # people at one address; US mean 2.5 (US Census Bureau, 2023)
OFFICE = (3, 18)  # colleagues behind one address; assumed
BUILDING = (3, 14)  # strangers in one house of flats, whose door number the canonical address drops; assumed
ONE_ADDRESS_FOR_ALL = 0.15  # shops behind a proxy that they do not trust see all customers at its address; assumed
CARRIER_ADDRESSES = (4, 20)  # of mobile carriers, for all their customers in the sale; assumed
VPN_ADDRESSES = (12, 40)  # of VPN services; assumed
PEOPLE_SHARING_A_BROWSER = 0.35  # of a household; assumed
GIVES_A_PHONE = 0.6  # assumed
PRIVACY_TOOLS = 0.08  # browsers that contradict themselves honestly; assumed (Firefox, Brave and extensions)
ABROAD = 0.05  # clock of another country than the parcel's; assumed
AUTOFILLS = 0.35  # fill the form in 3 to 12 s; assumed
TYPING_SECONDS = (42, 0.7)  # median and spread (log-normal) of the others; assumed
PICKS_A_RANDOM_NICK = 0.2  # mailboxes unlike the name; assumed
OWN_DOMAIN = 0.06  # people with a domain of their own; assumed

# --- resellers ---
ATTACKS = ("A1", "A2", "A3", "A4", "A5")
OPERATOR = (4, 250)  # orders of one operator, small ones more often; assumed
CAREFUL = 0.5  # of operators; assumed
BROWSER_SLIPS = {"A1": 0.7, "A2": 0.35, "A3": 0.25, "A4": 0.05, "A5": 0.15}  # orders that contradict themselves;
# assumed, after the 45-53 % of requests with which paid services evade detectors (arXiv 2406.07647)
ROTATES_ADDRESSES = 0.6  # operators whose proxies give each order an address of its own; assumed
SHARED_PHONE = {"A1": 0.5, "A2": 0.3, "A3": 0.3, "A4": 0.35, "A5": 0.2}  # operators with a few phones; assumed
SHARED_CARD = {"A1": 0.6, "A2": 0.5, "A3": 0.5, "A4": 0.5, "A5": 0.35}  # operators with a few cards; assumed
SHARED_DEVICE = {"A1": 0.4, "A2": 0.25, "A3": 0.25, "A4": 0.6, "A5": 0.2}  # operators who keep cookies; assumed
ADDRESSES = {"A1": (1, 12), "A2": (1, 25), "A3": (1, 4), "A4": (3, 30), "A5": (8, 60)}  # drops of one operator; assumed
