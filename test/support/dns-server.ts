export * from '../../scripts/camera-farm/name-server.ts';
