/** A city in which simulated cameras stand. Coordinates in degrees, country as ISO 3166-1 alpha-2. */
export interface Place {
  city: string;
  region: string;
  country: string;
  latitude: number;
  longitude: number;
  timeZone: string;
}

const place = (
  city: string,
  region: string,
  country: string,
  latitude: number,
  longitude: number,
  timeZone: string,
): Place => ({ city, region, country, latitude, longitude, timeZone });

export const PLACES: readonly Place[] = [
  place('Lyon', 'Auvergne-Rhône-Alpes', 'FR', 45.76, 4.84, 'Europe/Paris'),
  place('Marseille', "Provence-Alpes-Côte d'Azur", 'FR', 43.3, 5.38, 'Europe/Paris'),
  place('Hamburg', 'Hamburg', 'DE', 53.55, 9.99, 'Europe/Berlin'),
  place('München', 'Bayern', 'DE', 48.14, 11.58, 'Europe/Berlin'),
  place('Rotterdam', 'Zuid-Holland', 'NL', 51.92, 4.48, 'Europe/Amsterdam'),
  place('Innsbruck', 'Tirol', 'AT', 47.27, 11.39, 'Europe/Vienna'),
  place('Zürich', 'Zürich', 'CH', 47.38, 8.54, 'Europe/Zurich'),
  place('Porto', 'Norte', 'PT', 41.15, -8.61, 'Europe/Lisbon'),
  place('Sevilla', 'Andalucía', 'ES', 37.39, -5.98, 'Europe/Madrid'),
  place('Napoli', 'Campania', 'IT', 40.85, 14.27, 'Europe/Rome'),
  place('Kraków', 'Małopolskie', 'PL', 50.06, 19.94, 'Europe/Warsaw'),
  place('Praha', 'Praha', 'CZ', 50.08, 14.44, 'Europe/Prague'),
  place('Göteborg', 'Västra Götaland', 'SE', 57.71, 11.97, 'Europe/Stockholm'),
  place('Bergen', 'Vestland', 'NO', 60.39, 5.32, 'Europe/Oslo'),
  place('Tampere', 'Pirkanmaa', 'FI', 61.5, 23.76, 'Europe/Helsinki'),
  place('Reykjavík', 'Höfuðborgarsvæðið', 'IS', 64.15, -21.94, 'Atlantic/Reykjavik'),
  place('Edinburgh', 'Scotland', 'GB', 55.95, -3.19, 'Europe/London'),
  place('Galway', 'Connacht', 'IE', 53.27, -9.06, 'Europe/Dublin'),
  place('İzmir', 'İzmir', 'TR', 38.42, 27.14, 'Europe/Istanbul'),
  place('Thessaloniki', 'Central Macedonia', 'GR', 40.64, 22.94, 'Europe/Athens'),
  place('West Lafayette', 'Indiana', 'US', 40.43, -86.91, 'America/Indiana/Indianapolis'),
  place('Seattle', 'Washington', 'US', 47.61, -122.33, 'America/Los_Angeles'),
  place('Denver', 'Colorado', 'US', 39.74, -104.99, 'America/Denver'),
  place('New Orleans', 'Louisiana', 'US', 29.95, -90.07, 'America/Chicago'),
  place('Boston', 'Massachusetts', 'US', 42.36, -71.06, 'America/New_York'),
  place('Honolulu', 'Hawaii', 'US', 21.31, -157.86, 'Pacific/Honolulu'),
  place('Vancouver', 'British Columbia', 'CA', 49.28, -123.12, 'America/Vancouver'),
  place('Montréal', 'Québec', 'CA', 45.5, -73.57, 'America/Toronto'),
  place('Guadalajara', 'Jalisco', 'MX', 20.67, -103.35, 'America/Mexico_City'),
  place('Medellín', 'Antioquia', 'CO', 6.24, -75.58, 'America/Bogota'),
  place('Valparaíso', 'Valparaíso', 'CL', -33.05, -71.61, 'America/Santiago'),
  place('Curitiba', 'Paraná', 'BR', -25.43, -49.27, 'America/Sao_Paulo'),
  place('Cape Town', 'Western Cape', 'ZA', -33.92, 18.42, 'Africa/Johannesburg'),
  place('Nairobi', 'Nairobi', 'KE', -1.29, 36.82, 'Africa/Nairobi'),
  place('Casablanca', 'Casablanca-Settat', 'MA', 33.57, -7.59, 'Africa/Casablanca'),
  place('Kyōto', 'Kyōto', 'JP', 35.01, 135.77, 'Asia/Tokyo'),
  place('Sapporo', 'Hokkaidō', 'JP', 43.06, 141.35, 'Asia/Tokyo'),
  place('Busan', 'Busan', 'KR', 35.18, 129.08, 'Asia/Seoul'),
  place('Taipei', 'Taipei', 'TW', 25.03, 121.57, 'Asia/Taipei'),
  place('Pune', 'Maharashtra', 'IN', 18.52, 73.86, 'Asia/Kolkata'),
  place('Perth', 'Western Australia', 'AU', -31.95, 115.86, 'Australia/Perth'),
  place('Hobart', 'Tasmania', 'AU', -42.88, 147.33, 'Australia/Hobart'),
  place('Dunedin', 'Otago', 'NZ', -45.87, 170.5, 'Pacific/Auckland'),
];
